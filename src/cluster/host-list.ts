import { HOST_EXAMPLE, parseHostWord } from './host-target.js'
import { type SpecProblem, throwProblems } from './problems.js'
import type { MachineTarget } from './spec.js'

/** A host list, or a plain number, which asks for that many containers. */
export type HostList =
  | { readonly targets: readonly MachineTarget[]; readonly count?: undefined }
  | { readonly targets: readonly []; readonly count: number }

/** How a host list is read. */
export interface HostListOptions {
  /** The flag that it came with, for messages: `--masters`. */
  readonly flag: string
  /** At most this many hosts in one list. Default 5000: a longer range is a typing error. */
  readonly max?: number
}

/** Reads a local text file; rejects when it cannot. */
export type ReadText = (path: string) => Promise<string>

/** More containers than this on one computer is a typing error. */
const MAX_COUNT = 500

/** A word with its place. */
interface Word {
  readonly text: string
  readonly path: string
  readonly line?: number
  readonly col: number
}

/**
 * Reads a host list: `[user@]host[:port]` separated by commas or white space, with ranges, IPv6, `@file` and `local`;
 * see docs/hosts.md. Throws one error that names every wrong word with its place.
 */
export async function parseHostList(
  text: string,
  options: HostListOptions,
  readFile: ReadText,
): Promise<HostList> {
  const problems: SpecProblem[] = []
  const list = await collectHostList(text, options, readFile, problems)
  throwProblems(problems)
  return list
}

/** As {@link parseHostList}, but adds to `problems` instead of throwing. */
export async function collectHostList(
  text: string,
  options: HostListOptions,
  readFile: ReadText,
  problems: SpecProblem[],
): Promise<HostList> {
  const { flag, max = 5000 } = options
  const words = splitWords(text, flag)
  if (words.length === 0) {
    problems.push({
      code: 'E_HOST_INVALID',
      path: flag,
      message: 'the host list is empty',
      hint: HOST_EXAMPLE,
    })
    return { targets: [] }
  }
  const [first] = words
  if (words.length === 1 && first && /^\d+$/.test(first.text)) return readCount(first, problems)

  const targets: MachineTarget[] = []
  let total = 0
  for (const word of await readFiles(words, readFile, problems)) {
    const parsed = /^\d+$/.test(word.text)
      ? {
          ok: false as const,
          message: `"${word.text}" is a number`,
          hint: 'a number of containers stands alone',
          at: 0,
        }
      : parseHostWord(word.text)
    if (!parsed.ok) {
      problems.push(wordProblem(word, parsed))
      continue
    }
    total += parsed.size
    if (total > max) {
      const message = `"${word.text}" makes the list ${total} hosts long, at most ${max} are taken`
      problems.push(wordProblem(word, { message, hint: 'check the range for a digit too many', at: 0 }))
      break
    }
    for (const target of parsed.expand()) {
      if ('message' in target) {
        problems.push(wordProblem(word, target))
        break
      }
      targets.push(target)
    }
  }
  return { targets }
}

function readCount(word: Word, problems: SpecProblem[]): HostList {
  const count = Number(word.text)
  if (count <= MAX_COUNT) return { targets: [], count }
  const hint = 'a plain number asks for that many containers; hosts are written as names or addresses'
  problems.push(
    wordProblem(word, { message: `${word.text} containers are more than ${MAX_COUNT}`, hint, at: 0 }),
  )
  return { targets: [] }
}

function wordProblem(word: Word, wrong: { message: string; hint: string; at: number }): SpecProblem {
  const shown = wrong.message.includes(word.text) || wrong.message.includes('password')
  const where = word.line === undefined ? ` (position ${word.col + wrong.at})` : ''
  return {
    code: 'E_HOST_INVALID',
    path: word.path,
    message: `${shown ? '' : `"${word.text}": `}${wrong.message}${where}`,
    hint: wrong.hint,
    ...(word.line === undefined ? {} : { line: word.line }),
    col: word.col + wrong.at,
  }
}

/** Splits at commas and white space outside brackets, so that `host[1,3]` stays one word. */
function splitWords(text: string, path: string, line?: number): Word[] {
  const words: Word[] = []
  for (const match of text.matchAll(/(?:\[[^\]\s]*\]|[^\s,])+/g)) {
    words.push({ text: match[0], path, col: match.index + 1, ...(line === undefined ? {} : { line }) })
  }
  return words
}

/** Replaces each `@file` by its words: one or more on a line, `#` begins a comment. */
async function readFiles(
  words: readonly Word[],
  readFile: ReadText,
  problems: SpecProblem[],
): Promise<Word[]> {
  const result: Word[] = []
  for (const word of words) {
    if (!word.text.startsWith('@')) {
      result.push(word)
      continue
    }
    const path = word.text.slice(1)
    try {
      const lines = (await readFile(path)).replace(/^\uFEFF/, '').split(/\r?\n/)
      const found = lines.flatMap((line, index) => splitWords(line.replace(/#.*$/, ''), path, index + 1))
      if (found.length === 0) throw new Error('it names no host')
      for (const inner of found) {
        if (!inner.text.startsWith('@')) result.push(inner)
        else {
          const message = 'a file of hosts cannot name another file'
          problems.push(wordProblem(inner, { message, hint: 'list the hosts in one file', at: 0 }))
        }
      }
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      problems.push({
        code: 'E_HOST_INVALID',
        path: word.path,
        message: `cannot read the host file "${path}": ${reason}`,
        hint: '@FILE names a local file with one host per line',
        col: word.col,
      })
    }
  }
  return result
}
