import { AirliftError } from '../../core/errors.js'

/** What the probe printed, taken apart: single facts and blocks of text. */
export interface ProbeOutput {
  /** Values of `key<TAB>value…` lines in order, split at tabs, by key. */
  readonly values: ReadonlyMap<string, readonly (readonly string[])[]>
  /** Texts of blocks by name, as they were sent. */
  readonly blocks: ReadonlyMap<string, string>
}

/**
 * Reads the probe's lines and blocks. Anything before the first fact, such as a login banner, is skipped.
 * @throws AirliftError E_COMMAND when the output ends early; the text itself is never quoted, for it may hold secrets
 */
export function readProbeOutput(text: string): ProbeOutput {
  const values = new Map<string, string[][]>()
  const blocks = new Map<string, string>()
  let open: { name: string; end: string; lines: string[] } | undefined
  for (const raw of text.split('\n')) {
    const line = raw.endsWith('\r') ? raw.slice(0, -1) : raw
    if (open) {
      if (line === open.end) {
        blocks.set(open.name, open.lines.join('\n'))
        open = undefined
      } else open.lines.push(raw)
      continue
    }
    const fields = line.split('\t')
    const key = fields[0] ?? ''
    if (fields.length < 2 || key === '') continue
    if (key.startsWith('<')) {
      open = { name: key.slice(1), end: `>${fields[1]}`, lines: [] }
      continue
    }
    const list = values.get(key)
    if (list) list.push(fields.slice(1))
    else values.set(key, [fields.slice(1)])
  }
  if (values.get('end')?.[0]?.[0] !== 'ok') {
    throw new AirliftError('E_COMMAND', `the probe's answer ends early, after ${text.length} characters`, {
      hint: 'run again; if it stays so, see with -vv what the shell of the machine prints',
    })
  }
  return { values, blocks }
}

/** First value of a key; undefined when it is absent or empty. */
export function one(output: ProbeOutput, key: string): string | undefined {
  return output.values.get(key)?.[0]?.[0] || undefined
}

/** Lines of a block that are not blank; none when it is absent. */
export function linesOf(output: ProbeOutput, block: string): readonly string[] {
  return (output.blocks.get(block) ?? '').split('\n').filter((line) => line.trim() !== '')
}
