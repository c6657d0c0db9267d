import { splitNodeWords } from '../cluster/node-words.js'
import { AirliftError } from '../core/errors.js'
import { createSpecIo } from '../registry/local-spec-io.js'
import { UsageError } from './io.js'

/** The words of a flag that names nodes of a cluster, none where it has no list; `@FILE` is replaced by the words in the file. */
export async function readNodeWords(flag: string, value: unknown): Promise<string[]> {
  if (typeof value !== 'string') return []
  const words = (await Promise.all(splitNodeWords(value).map((word) => fileWords(flag, word)))).flat()
  if (words.length === 0) throw new UsageError(`${flag} names no node`)
  return words
}

async function fileWords(flag: string, word: string): Promise<string[]> {
  if (!word.startsWith('@')) return [word]
  const path = word.slice(1)
  try {
    const text = (await createSpecIo().readFile(path)).toString('utf8')
    return text.split(/\r?\n/).flatMap((line) => splitNodeWords(line.replace(/#.*$/, '')))
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new AirliftError('E_LOCAL_FILE', `${flag}: cannot read "${path}": ${reason}`, {
      hint: '@FILE names a local file with one node per line',
    })
  }
}
