import { AirliftError } from '../../core/errors.js'
import { isKeyword } from './config-keywords.js'

/** One line of ssh_config that means something. */
export interface ConfigLine {
  /** Lower case. */
  readonly key: string
  readonly words: readonly string[]
  readonly file: string
  /** From 1. */
  readonly line: number
}

/** The error for a line of the configuration, `file:line: what`. */
export function configError(at: Pick<ConfigLine, 'file' | 'line'>, what: string): AirliftError {
  return new AirliftError('E_SSH_CONFIG', `${at.file}:${at.line}: ${what}`, {
    hint: 'correct the line; "ssh -G HOST" checks it too',
    data: { file: at.file, line: at.line },
  })
}

/** Keywords whose argument is the rest of the line as it stands, for a shell. */
const WHOLE_LINE = new Set(['proxycommand', 'localcommand', 'remotecommand', 'knownhostscommand'])

/**
 * Reads the lines of an ssh_config(5) file.
 * @throws AirliftError E_SSH_CONFIG with file and line for a line that ssh would refuse as well
 */
export function parseConfig(text: string, file: string): readonly ConfigLine[] {
  const lines: ConfigLine[] = []
  const ignored: string[] = []
  text.split('\n').forEach((raw, index) => {
    const at = { file, line: index + 1 }
    const trimmed = raw.trim()
    if (trimmed === '' || trimmed.startsWith('#')) return
    const match = /^("?)([^\s="]+)\1(?:\s*=\s*|\s+|$)(.*)$/.exec(trimmed)
    const key = match?.[2]?.toLowerCase()
    const rest = match?.[3]
    if (key === undefined || rest === undefined) throw configError(at, `cannot read "${trimmed}"`)
    if (!isKeyword(key)) {
      if (ignored.some((each) => key === each || (each.endsWith('*') && key.startsWith(each.slice(0, -1)))))
        return
      throw configError(at, `"${match?.[2]}" is not a keyword of ssh_config`)
    }
    const words = WHOLE_LINE.has(key) ? [rest].filter((each) => each !== '') : splitWords(rest, at)
    if (words.length === 0) throw configError(at, `"${match?.[2]}" has no argument`)
    if (key === 'ignoreunknown') ignored.push(...words.flatMap((word) => word.toLowerCase().split(',')))
    lines.push({ key, words, ...at })
  })
  return lines
}

/** Splits arguments at blanks, outside of quotes, up to a comment. A backslash escapes a quote, a blank or itself. */
export function splitWords(text: string, at: Pick<ConfigLine, 'file' | 'line'>): string[] {
  const words: string[] = []
  let word: string | undefined
  let quote = ''
  for (let i = 0; i < text.length; i++) {
    const char = text[i] ?? ''
    const next = text[i + 1] ?? ''
    if (char === '\\' && (next === '"' || next === "'" || next === '\\' || (next === ' ' && quote === ''))) {
      word = (word ?? '') + next
      i++
    } else if (quote !== '') {
      if (char === quote) quote = ''
      else word = (word ?? '') + char
    } else if (char === '"' || char === "'") {
      quote = char
      word ??= ''
    } else if (char === ' ' || char === '\t' || char === '\r') {
      if (word !== undefined) words.push(word)
      word = undefined
    } else if (char === '#' && word === undefined) {
      break
    } else {
      word = (word ?? '') + char
    }
  }
  if (quote !== '') throw configError(at, `a quote is not closed in "${text}"`)
  if (word !== undefined) words.push(word)
  return words
}
