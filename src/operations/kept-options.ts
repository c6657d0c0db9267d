import { recordOfLabels } from '../cluster/container-labels.js'
import {
  type ContainerFileSpec,
  type ContainerNodeSpec,
  PLAIN_CONTAINER,
  type ProxySpec,
} from '../cluster/container-spec.js'
import type { Engine, EngineContainer } from '../machine/docker/engine.js'
import { certificatePath } from '../machine/state-paths.js'
import { readContainerFile } from '../rootfs/tar/read-container-file.js'

/**
 * What the user gave to a container: its labels tell most of it, the engine the values of variables and of secret arguments.
 * Plain where it has no record.
 *
 * @param readFile - gives the contents of its files; one that it does not give is left out
 */
export async function keptOptions(
  container: EngineContainer,
  readFile: (path: string) => Promise<Buffer | undefined>,
): Promise<ContainerNodeSpec> {
  const record = recordOfLabels(container.labels)
  if (!record) return PLAIN_CONTAINER
  const { mounts, runtimeLabels, memoryBytes, cpus } = record
  const variables = variablesOf(container)
  const files = await Promise.all(
    record.files.map(async (path): Promise<ContainerFileSpec[]> => {
      const content = await readFile(path)
      // Files of the user have this mode always.
      return content ? [{ path, content, mode: '0644' }] : []
    }),
  )
  return {
    mounts,
    runtimeLabels,
    env: Object.fromEntries(record.env.map((key) => [key, variables.get(key) ?? ''])),
    k3sArgs: withSecrets(record.k3sArgs, container),
    files: files.flat(),
    ...(memoryBytes === undefined ? {} : { memoryBytes }),
    ...(cpus === undefined ? {} : { cpus }),
  }
}

/** The certificates of `--ca` that a node trusts. */
export async function keptCertificates(
  engine: Pick<Engine, 'getArchive' | 'hasPath'>,
  name: string,
): Promise<Buffer[]> {
  const certificates: Buffer[] = []
  for (;;) {
    const path = certificatePath(certificates.length + 1)
    // An archive takes an engine much longer than to say that there is none.
    if (!(await engine.hasPath(name, path))) return certificates
    const content = await readContainerFile(engine, name, path)
    if (!content) return certificates
    certificates.push(content)
  }
}

/** The proxy that a node has because the computer had it where it was made; undefined where it has none, or the user's alone. */
export function keptProxy(container: EngineContainer): ProxySpec | undefined {
  const variables = variablesOf(container)
  const own = recordOfLabels(container.labels)?.env ?? []
  const inherited = (key: string): string | undefined =>
    own.some((name) => name.toLowerCase() === key) ? undefined : variables.get(key) || undefined
  const http = inherited('http_proxy')
  const https = inherited('https_proxy')
  if (http === undefined && https === undefined) return undefined
  const except = (variables.get('no_proxy') ?? '').split(',').filter((text) => text !== '')
  return { ...(http === undefined ? {} : { http }), ...(https === undefined ? {} : { https }), except }
}

/** The arguments of a record, of which the values of secret ones are left out. */
function withSecrets(args: readonly string[], { raw }: EngineContainer): string[] {
  const command = (raw as { Config?: { Cmd?: unknown } } | undefined)?.Config?.Cmd
  const words = Array.isArray(command) ? command.map(String) : []
  return args.map((arg) => (arg.endsWith('=') ? (words.find((word) => word.startsWith(arg)) ?? arg) : arg))
}

/** The variables of a container, from the engine's whole answer. */
function variablesOf({ raw }: EngineContainer): Map<string, string> {
  const env = (raw as { Config?: { Env?: unknown } } | undefined)?.Config?.Env
  const lines = Array.isArray(env) ? env.map(String) : []
  return new Map(
    lines.map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)] as const),
  )
}
