import { parse } from 'yaml'
import { isSecretOption } from '../cluster/k3s-options.js'
import type { ClusterSpec, ConfigValue, RegistriesSpec, SpecFile } from '../cluster/spec.js'
import type { Context } from '../core/context.js'
import { AirliftError } from '../core/errors.js'
import { Secret } from '../core/secret.js'
import type { Machine } from '../machine/machine.js'
import type { MachineWorld } from '../runtime/runtime.js'

const CONFIG = '/etc/rancher/k3s/config.yaml'
const REGISTRIES = '/etc/rancher/k3s/registries.yaml'

/** Prints mode, path and content of each file that says what the user asked of the nodes. */
const READ = `for f in ${CONFIG} ${REGISTRIES} /etc/rancher/k3s/registries.d/*; do
[ -f "$f" ] || continue
printf '%s %s %s\\n' "$(stat -c %a "$f")" "$f" "$(base64 < "$f" | tr -d '\\n')"
done`

/**
 * What the user set when the cluster was made, so that a node which joins later gets the same and nothing need be repeated:
 * the configuration from a master's record, its secret values from the master's own file, and its registries.
 * @throws AirliftError E_COMMAND when the files cannot be read
 */
export async function existingSpec(
  master: MachineWorld,
  machine: Machine,
  ctx: Context,
  /** What the labels of containers say, which keep no record inside. */
  labelled: ClusterSpec['config'] = {},
): Promise<Pick<ClusterSpec, 'config' | 'registries'>> {
  const result = await machine.run(READ, { signal: ctx.signal, idempotent: true })
  if (result.exitCode !== 0) {
    throw new AirliftError('E_COMMAND', `cannot read the configuration of ${master.name}`, {
      machine: master.name,
      log: result.stderr.trim().split('\n').slice(-3),
    })
  }
  const files = readFiles(result.stdout)
  const recorded = master.facts.managed.record?.config
  const config = {
    ...labelled,
    ...(isConfig(recorded) ? recorded : {}),
    ...secretsOf(files.find((file) => file.path === CONFIG)),
  }
  const registries = registriesOf(files)
  return { config, ...(registries ? { registries } : {}) }
}

function readFiles(text: string): SpecFile[] {
  return text.split('\n').flatMap((line): SpecFile[] => {
    const match = /^(\d+) (\S+) (\S*)$/.exec(line)
    if (!match) return []
    const [, mode = '600', path = '', content = ''] = match
    return [{ path, mode: mode.padStart(4, '0'), content: Buffer.from(content, 'base64') }]
  })
}

/** Values that the record leaves out. The token is not among them: joining nodes get one from a master. */
function secretsOf(file: SpecFile | undefined): Record<string, ConfigValue> {
  const value: unknown = file && parse(file.content.toString('utf8'), { version: '1.1' })
  if (!isConfig(value)) return {}
  return Object.fromEntries(
    Object.entries(value).filter(([key]) => isSecretOption(key) && key !== 'token' && key !== 'token-file'),
  )
}

function registriesOf(files: readonly SpecFile[]): RegistriesSpec | undefined {
  const main = files.find((file) => file.path === REGISTRIES)
  if (!main) return undefined
  const text = main.content.toString('utf8')
  const value: unknown = parse(text, { version: '1.1' })
  const mirrors = isConfig(value) && isConfig(value.mirrors) ? Object.keys(value.mirrors) : []
  return {
    content: new Secret(text),
    files: files.filter((file) => file.path !== REGISTRIES && file.path !== CONFIG),
    mirrors,
  }
}

function isConfig(value: unknown): value is Record<string, ConfigValue> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
