import type { UlimitSpec } from '../container-spec.js'
import type { OptionProblem } from './option-problem.js'

// Those of setrlimit(2), under the names that docker gives them (docker/go-units, ulimit.go).
const NAMES =
  'core cpu data fsize locks memlock msgqueue nice nofile nproc rss rtprio rttime sigpending stack'.split(' ')
const HINT = 'write NAME=SOFT[:HARD], such as nofile=65535:65535; -1 is without limit'

/** Reads `--ulimit NAME=SOFT[:HARD]`; without HARD it is the same as SOFT. */
export function parseUlimit(text: string): UlimitSpec | OptionProblem {
  const [, name = '', softText = '', hardText = softText] =
    /^([^=]*)=(-1|\d{1,15})(?::(-1|\d{1,15}))?$/.exec(text) ?? []
  if (softText === '') return { message: `"${text}" is not a limit`, hint: HINT }
  if (!NAMES.includes(name)) {
    return { message: `"${name}" is not the name of a limit`, hint: `use one of ${NAMES.join(', ')}` }
  }
  const [soft, hard] = [Number(softText), Number(hardText)]
  if (hard !== -1 && (soft === -1 || soft > hard)) {
    return { message: `the soft limit of "${text}" is above the hard one`, hint: HINT }
  }
  return { name, soft, hard }
}

/** A limit as `--ulimit` takes it. */
export function ulimitText({ name, soft, hard }: UlimitSpec): string {
  return `${name}=${soft}:${hard}`
}
