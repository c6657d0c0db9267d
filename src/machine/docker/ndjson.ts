import type { Readable } from 'node:stream'
import { StringDecoder } from 'node:string_decoder'

/** A line longer than that is not progress but a mistake; the engine's own are below 1 kB. */
const MAX_LINE = 8 << 20

/**
 * Reads lines of JSON one by one; the source is read no faster than the lines are taken, and an early end of the loop
 * closes it. Docker ends lines with CR LF and may put several values on one line or one value over two chunks.
 * @throws Error when a line is no JSON or has no end within 8 MiB, and what the source throws
 */
export async function* readNdjson(source: Readable): AsyncGenerator<Record<string, unknown>> {
  const decoder = new StringDecoder('utf8')
  let rest = ''
  for await (const chunk of source) {
    rest += typeof chunk === 'string' ? chunk : decoder.write(chunk as Buffer)
    const lines = rest.split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) yield* values(line)
    if (rest.length > MAX_LINE) throw new Error('a line of the engine has no end within 8 MiB')
  }
  yield* values(rest + decoder.end())
}

function* values(line: string): Generator<Record<string, unknown>> {
  const text = line.trim()
  if (text === '') return
  // Old engines write `}{` without a line end between.
  for (const part of parse(text)) {
    if (typeof part === 'object' && part !== null) yield part as Record<string, unknown>
  }
}

function parse(text: string): unknown[] {
  try {
    return [JSON.parse(text)]
  } catch (cause) {
    try {
      return JSON.parse(`[${text.replace(/\}\s*\{/g, '},{')}]`) as unknown[]
    } catch {
      throw new Error(`the engine sent a line that is no JSON: ${text.slice(0, 200)}`, { cause })
    }
  }
}

/** The error of one line of progress; undefined when it has none. Both spellings are of all engines. */
export function lineError(line: Record<string, unknown>): string | undefined {
  const detail = line.errorDetail as { readonly message?: unknown } | undefined
  if (typeof detail?.message === 'string' && detail.message !== '') return detail.message
  return typeof line.error === 'string' && line.error !== '' ? line.error : undefined
}

/** A line of progress for people: `4f4fb700ef54: Pull complete`. */
export function lineText(line: Record<string, unknown>): string {
  const word = (key: string): string => (typeof line[key] === 'string' ? line[key] : '')
  const text = [word('status') || word('stream'), word('progress')].filter((part) => part !== '').join(' ')
  return word('id') === '' ? text.trim() : `${word('id')}: ${text.trim()}`
}
