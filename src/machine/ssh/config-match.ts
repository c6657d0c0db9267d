import type { ConfigLine } from './config-parse.js'
import { configError } from './config-parse.js'
import { wildcardMatches } from './known-hosts.js'

/** What `Host` and `Match` lines are asked about. */
export interface MatchSubject {
  /** The host as typed. */
  readonly originalHost: string
  /** The host with the HostName that was found so far. */
  readonly host: string
  readonly user: string
  readonly localUser: string
  readonly tag: string | undefined
  /** True in the second pass, which `Match final` asks for. */
  readonly finalPass: boolean
}

/** The answer of a `Match` line. */
export interface MatchAnswer {
  readonly matches: boolean
  /** True when a criterion would have to run a command or know of ssh's own state: OpenSSH has to decide. */
  readonly undecided: boolean
  readonly wantsFinal: boolean
}

/** Whether a list of patterns matches, and none of the negated ones does. */
export function patternListMatches(patterns: readonly string[], text: string): boolean {
  let matched = false
  for (const pattern of patterns) {
    const negated = pattern.startsWith('!')
    if (!wildcardMatches(negated ? pattern.slice(1) : pattern, text)) continue
    if (negated) return false
    matched = true
  }
  return matched
}

const UNDECIDABLE = new Set(['exec', 'localnetwork', 'sessiontype', 'command', 'version'])

/** Judges the criteria of a `Match` line. @throws AirliftError E_SSH_CONFIG for criteria that ssh would refuse */
export function judgeMatch(line: ConfigLine, subject: MatchSubject): MatchAnswer {
  let matches = true
  let undecided = false
  let wantsFinal = false
  const words = [...line.words]
  while (words.length > 0) {
    const written = words.shift() ?? ''
    const negated = written.startsWith('!')
    const [name = '', attached] = splitOnce(negated ? written.slice(1) : written)
    const criterion = name.toLowerCase()
    if (criterion === 'all') {
      const alone = line.words.every((word) => /^!?(all|canonical|final)$/i.test(word)) && words.length === 0
      if (!alone || negated)
        throw configError(line, '"all" must be the only criterion, or come after "final" or "canonical"')
      continue
    }
    if (criterion === 'canonical' || criterion === 'final') {
      if (criterion === 'final') wantsFinal = true
      if (subject.finalPass === negated) matches = false
      continue
    }
    const argument = attached ?? words.shift()
    if (argument === undefined) throw configError(line, `the criterion "${name}" has no argument`)
    if (UNDECIDABLE.has(criterion)) {
      // Only a line that would otherwise match depends on it.
      if (matches) undecided = true
      matches = false
      continue
    }
    const value = subjectOf(criterion, subject)
    if (value === undefined) throw configError(line, `"${name}" is not a criterion of Match`)
    const hosts = criterion === 'host' || criterion === 'originalhost'
    const patterns = (hosts ? argument.toLowerCase() : argument).split(',')
    if (patternListMatches(patterns, hosts ? value.toLowerCase() : value) === negated) matches = false
  }
  return { matches, undecided, wantsFinal }
}

function splitOnce(word: string): [string, string | undefined] {
  const at = word.indexOf('=')
  return at < 0 ? [word, undefined] : [word.slice(0, at), word.slice(at + 1)]
}

function subjectOf(criterion: string, subject: MatchSubject): string | undefined {
  switch (criterion) {
    case 'host':
      return subject.host
    case 'originalhost':
      return subject.originalHost
    case 'user':
      return subject.user
    case 'localuser':
      return subject.localUser
    case 'tagged':
      return subject.tag ?? ''
    default:
      return undefined
  }
}
