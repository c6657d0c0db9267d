import { hostname } from 'node:os'
import { AirliftError } from '../../core/errors.js'
import type { LocalFacts } from './local-facts.js'

/** What tokens stand for. Those that are undefined are not known yet. */
export interface TokenValues {
  readonly host: string
  readonly originalHost: string
  readonly user?: string
  readonly port?: number
  readonly local: LocalFacts
}

/**
 * Expands `%h %n %p %r %u %d %i %l %L %%`, a leading `~` and `${VARIABLE}` as ssh_config(5) describes under TOKENS and
 * ENVIRONMENT VARIABLES.
 * @throws AirliftError E_SSH_CONFIG for a token or a variable that does not exist
 */
export function expandTokens(text: string, values: TokenValues): string {
  const { local } = values
  const table: Record<string, string | undefined> = {
    '%': '%',
    h: values.host,
    n: values.originalHost,
    p: values.port === undefined ? undefined : String(values.port),
    r: values.user,
    u: local.user,
    d: local.home,
    i: String(local.uid),
    l: hostname(),
    L: hostname().split('.')[0],
    k: values.originalHost,
  }
  const expanded = text
    .replace(/%(.?)/g, (whole, letter: string) => {
      const value = table[letter]
      if (value === undefined) throw badToken(whole, text, values.originalHost)
      return value
    })
    .replace(/\$\{(\w+)\}/g, (whole, name: string) => {
      const value = local.env[name]
      if (value === undefined) throw badToken(whole, text, values.originalHost)
      return value
    })
  if (expanded === '~') return local.home
  return expanded.startsWith('~/') ? `${local.home}/${expanded.slice(2)}` : expanded
}

function badToken(token: string, text: string, machine: string): AirliftError {
  return new AirliftError('E_SSH_CONFIG', `cannot expand ${token} in "${text}"`, {
    machine,
    hint: 'write %% for a percent sign; the tokens are listed in ssh_config(5)',
  })
}
