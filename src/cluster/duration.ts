const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 }

/** A day; a longer wait is a typing error. */
const MAX_MS = 24 * 3_600_000

/** Milliseconds of `90s`, `10m`, `1h30m`, `1.5h`. Undefined for anything else, for zero and for more than a day. */
export function parseDuration(text: string): number | undefined {
  if (!/^(?:\d{1,9}(?:\.\d{1,3})?(?:ms|s|m|h))+$/.test(text)) return undefined
  let total = 0
  for (const [, value, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)) {
    total += Number(value) * (UNITS[unit ?? ''] ?? 0)
  }
  const ms = Math.round(total)
  return ms > 0 && ms <= MAX_MS ? ms : undefined
}
