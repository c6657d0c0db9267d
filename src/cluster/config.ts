import { assignWords, checkKey, type Place, splitList } from './config-values.js'
import { k3sOption } from './k3s-options.js'
import type { SpecProblem } from './problems.js'
import type { ConfigValue, Role } from './spec.js'

export { renderConfig } from './render-config.js'

type Scalar = string | number | boolean

/** The configuration that a user wrote, in a file and as `--set`. */
export interface ConfigSources {
  /** Text of `--config FILE`. */
  readonly file?: { readonly path: string; readonly text: string }
  /** Values of `--set key=value`, in order. They win over the file. */
  readonly set: readonly string[]
}

/** What was understood, and what is doubtful but taken. */
export interface ConfigResult {
  readonly config: Readonly<Record<string, ConfigValue>>
  readonly warnings: readonly string[]
}

/**
 * Reads k3s configuration. Values get the type of k3s' option, whatever way they were written: `0644` stays text for
 * `write-kubeconfig-mode`, `yes` is true for a boolean, `a,b` is a list for a list. Keys that k3s does not have are kept
 * with a warning; keys that airlift writes itself are refused with what to do instead. Values are never put into messages
 * of secret keys.
 */
export async function readConfig(sources: ConfigSources, problems: SpecProblem[]): Promise<ConfigResult> {
  const config: Record<string, ConfigValue> = {}
  const warnings: string[] = []
  if (sources.file) {
    // It needs a parser of YAML, which takes longer to load than most of what a command loads.
    const { readConfigFile } = await import('./config-file.js')
    readConfigFile(sources.file.path, sources.file.text, config, warnings, problems)
  }
  readSet(sources.set, config, warnings, problems)
  return { config, warnings }
}

/** The part of a configuration that one role's k3s takes: masters get all but what only agents know, workers no server key. */
export function splitConfig(
  config: Readonly<Record<string, ConfigValue>>,
  role: Role,
): Record<string, ConfigValue> {
  const other: Role = role === 'master' ? 'worker' : 'master'
  // An unknown key goes to masters only: k3s' agent ends itself at a server's key that it does not know.
  const wanted = (key: string): boolean => {
    const option = k3sOption(key)
    return option === undefined ? role === 'master' : option.roles !== other
  }
  return Object.fromEntries(Object.entries(config).filter(([key]) => wanted(key)))
}

function readSet(
  set: readonly string[],
  config: Record<string, ConfigValue>,
  warnings: string[],
  problems: SpecProblem[],
): void {
  const lists = new Map<string, string[]>()
  for (const text of set) {
    const equals = text.indexOf('=')
    const key = equals < 0 ? text : text.slice(0, equals).trim()
    const where: Place = { path: '--set' }
    if (equals < 1 || !/^[A-Za-z0-9][\w.-]*$/.test(key)) {
      const shown = equals < 0 ? text : key
      problems.push({
        code: 'E_CONFIG_INVALID',
        ...where,
        message: `"${shown}" is not key=value`,
        hint: 'write --set disable=traefik',
      })
      continue
    }
    if (!checkKey(key, where, warnings, problems)) continue
    const value = text.slice(equals + 1)
    const option = k3sOption(key)
    if (option === undefined) config[key] = guess(value)
    else if (option.kind === 'list') {
      const items = [...(lists.get(key) ?? []), ...splitList(value)]
      lists.set(key, items)
      assignWords(config, key, items, where, problems, true)
    } else assignWords(config, key, [value], where, problems, false)
  }
}

/** The type of a value whose option is not known: booleans and plain integers, otherwise text. */
function guess(text: string): Scalar {
  if (text === 'true' || text === 'false') return text === 'true'
  return /^-?(0|[1-9]\d{0,14})$/.test(text) ? Number(text) : text
}
