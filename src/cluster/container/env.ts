import { splitFilteredText } from './filter.js'
import type { OptionProblem } from './option-problem.js'

/** A variable with its filter. */
export interface EnvVariable {
  readonly key: string
  /** Absent: it is to be taken from this process, which does not have it. */
  readonly value?: string
  readonly filter?: string
}

const HINT = 'write KEY=VALUE[@FILTER], or KEY for the value that it has here; an @ in a value is \\@'

/** What airlift tells k3s in its configuration; a variable of the same meaning would say it twice, or show a secret. */
const OWN: Readonly<Record<string, string>> = {
  K3S_TOKEN: 'use --set token=…',
  K3S_TOKEN_FILE: 'use --set token=…',
  K3S_AGENT_TOKEN: 'use --set token=…',
  K3S_URL: 'leave it out: airlift joins each node',
  K3S_NODE_NAME: 'leave it out: nodes are named as their containers',
  K3S_CONFIG_FILE: 'use --config FILE',
  K3S_DATA_DIR: 'leave it out: the data is in a volume of its own',
}

/**
 * Reads `--env KEY[=VALUE][@FILTER]`. The value is not put into messages, since it may be a password.
 *
 * @param own - environment of this process, for `KEY` alone
 */
export function parseEnv(
  text: string,
  own: Readonly<Record<string, string | undefined>>,
): EnvVariable | OptionProblem {
  const { body, filter } = splitFilteredText(text)
  const equals = body.indexOf('=')
  const key = equals < 0 ? body : body.slice(0, equals)
  if (!/^[A-Za-z_][\w.-]{0,250}$/.test(key)) {
    return { message: `"${key}" is not the name of a variable`, hint: HINT }
  }
  const refused = Object.hasOwn(OWN, key) ? OWN[key] : undefined
  if (refused !== undefined) return { message: `airlift sets ${key} itself`, hint: refused }
  const value = equals < 0 ? (Object.hasOwn(own, key) ? own[key] : undefined) : body.slice(equals + 1)
  if (value?.includes('\0')) return { message: `the value of ${key} has a zero byte`, hint: HINT }
  return { key, ...(value === undefined ? {} : { value }), ...(filter === undefined ? {} : { filter }) }
}
