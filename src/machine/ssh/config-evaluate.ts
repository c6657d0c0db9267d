import type { ConfigNode } from './config-load.js'
import type { MatchSubject } from './config-match.js'
import { judgeMatch, patternListMatches } from './config-match.js'
import type { ConfigLine } from './config-parse.js'
import { expandTokens } from './config-tokens.js'
import type { ConfigSetting, ConfigValues } from './config-values.js'
import { createConfigValues } from './config-values.js'
import type { LocalFacts } from './local-facts.js'

/** For whom a configuration is evaluated. */
export interface EvaluateFor {
  /** As typed. */
  readonly host: string
  /** The user that was named on the command line, if any. */
  readonly user: string | undefined
  readonly local: LocalFacts
}

/**
 * The settings of one host. As in ssh the first value wins, an include inside a block counts only with the block, and
 * `Match final` makes a second pass in which `Host` lines see the host name that the first one found.
 * @throws AirliftError E_SSH_CONFIG for a bad `Match` line
 */
export function evaluateConfig(nodes: readonly ConfigNode[], wanted: EvaluateFor): ConfigValues {
  const pass = new Pass(wanted)
  pass.walk(nodes, true)
  if (pass.wantsFinal) {
    pass.finalPass = true
    pass.walk(nodes, true)
  }
  return createConfigValues(pass.settings, pass.undecided)
}

/** The state of an evaluation. */
class Pass {
  readonly settings: ConfigSetting[] = []
  wantsFinal = false
  undecided = false
  finalPass = false
  readonly #wanted: EvaluateFor

  constructor(wanted: EvaluateFor) {
    this.#wanted = wanted
  }

  /** Blocks begin and end within the file; what an inactive block includes is inactive. */
  walk(nodes: readonly ConfigNode[], startsActive: boolean): void {
    let active = startsActive
    for (const node of nodes) {
      if (node.kind === 'include') {
        if (active) for (const file of node.files) this.walk(file, true)
      } else if (node.line.key === 'host') {
        active = startsActive && this.#hostMatches(node.line)
      } else if (node.line.key === 'match') {
        active = startsActive && this.#matchMatches(node.line)
      } else if (active) {
        const { key, words, file, line } = node.line
        this.settings.push({ key, words, where: `${file}:${line}` })
      }
    }
  }

  #first(key: string): string | undefined {
    return this.settings.find((each) => each.key === key)?.words[0]
  }

  #host(): string {
    const { host, local } = this.#wanted
    return expandTokens(this.#first('hostname') ?? host, { host, originalHost: host, local })
  }

  #hostMatches(line: ConfigLine): boolean {
    const host = this.finalPass ? this.#host() : this.#wanted.host
    return patternListMatches(
      line.words.map((word) => word.toLowerCase()),
      host.toLowerCase(),
    )
  }

  #matchMatches(line: ConfigLine): boolean {
    const { host, user, local } = this.#wanted
    const subject: MatchSubject = {
      originalHost: host,
      host: this.#host(),
      user: user ?? this.#first('user') ?? local.user,
      localUser: local.user,
      tag: this.#first('tag'),
      finalPass: this.finalPass,
    }
    const answer = judgeMatch(line, subject)
    this.wantsFinal ||= answer.wantsFinal
    this.undecided ||= answer.undecided
    return answer.matches
  }
}
