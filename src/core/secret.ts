const SHOWN = '[secret]'

/**
 * A value that must not be printed. Every way of turning it into text gives `[secret]`;
 * only `reveal()` returns it, so that each use can be found by its name.
 */
export class Secret {
  readonly #value: string

  constructor(value: string) {
    this.#value = value
  }

  /** The value itself. Never put it into argv, a plan, a label or a log. */
  reveal(): string {
    return this.#value
  }

  toString(): string {
    return SHOWN
  }

  toJSON(): string {
    return SHOWN
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return SHOWN
  }
}

/** Replaces every known secret (of at least 4 characters) in a text, longest first. */
export function redact(text: string, secrets: Iterable<Secret>): string {
  const values = [...secrets]
    .map((secret) => secret.reveal())
    .filter((value) => value.length >= 4)
    .sort((a, b) => b.length - a.length)
  let result = text
  for (const value of values) result = result.replaceAll(value, SHOWN)
  return result
}
