import { parse } from 'yaml'
import { isSecretSetting } from '../cluster/k3s-options.js'
import type { ClusterSpec, ConfigValue, RegistriesSpec, SpecFile } from '../cluster/spec.js'
import { AirliftError } from '../core/errors.js'
import { Secret } from '../core/secret.js'
import type { MachineWorld } from '../runtime/runtime.js'
import { readUserFiles, USER_CONFIG, USER_FILES, USER_REGISTRIES } from '../runtime/user-files.js'

/**
 * What the user set when the cluster was made, so that a node which joins later gets the same and nothing need be repeated:
 * the configuration from a master's record, its secret values from the master's own file, and its registries. Pure.
 * @throws AirliftError E_COMMAND when the files could not be read
 */
export function existingSpec(
  master: MachineWorld,
  /** What the labels of containers say, which keep no record inside. */
  labelled: ClusterSpec['config'] = {},
): Pick<ClusterSpec, 'config' | 'registries'> {
  const told = master.facts.managed.fragments[USER_FILES]
  if (told === undefined) {
    throw new AirliftError('E_COMMAND', `cannot read the configuration of ${master.name}`, {
      machine: master.name,
      hint: `see whether root can read ${USER_CONFIG} there, then run the same command again`,
    })
  }
  const files = readUserFiles(told)
  const recorded = master.facts.managed.record?.config
  const config = {
    ...labelled,
    ...(isConfig(recorded) ? recorded : {}),
    ...secretsOf(files.find((file) => file.path === USER_CONFIG)),
  }
  const registries = registriesOf(files)
  return { config, ...(registries ? { registries } : {}) }
}

/** Values that the record leaves out. The token is not among them: joining nodes get one from a master. */
function secretsOf(file: SpecFile | undefined): Record<string, ConfigValue> {
  const value: unknown = file && parse(file.content.toString('utf8'), { version: '1.1' })
  if (!isConfig(value)) return {}
  return Object.fromEntries(
    Object.entries(value).filter(
      ([key, entry]) => isSecretSetting(key, entry) && key !== 'token' && key !== 'token-file',
    ),
  )
}

function registriesOf(files: readonly SpecFile[]): RegistriesSpec | undefined {
  const main = files.find((file) => file.path === USER_REGISTRIES)
  if (!main) return undefined
  const text = main.content.toString('utf8')
  const value: unknown = parse(text, { version: '1.1' })
  const mirrors = isConfig(value) && isConfig(value.mirrors) ? Object.keys(value.mirrors) : []
  return {
    content: new Secret(text),
    files: files.filter((file) => file.path !== USER_REGISTRIES && file.path !== USER_CONFIG),
    mirrors,
  }
}

function isConfig(value: unknown): value is Record<string, ConfigValue> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
