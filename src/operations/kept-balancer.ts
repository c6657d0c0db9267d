import { recordOfLabels } from '../cluster/container-labels.js'
import { type ContainerFileSpec, containerName, PLAIN_CONTAINER } from '../cluster/container-spec.js'
import type { ClusterSpec } from '../cluster/spec.js'
import type { Context } from '../core/context.js'
import { readContainerFile } from '../rootfs/tar/read-container-file.js'
import { connectToEngine } from './container-session.js'
import type { OperationDeps } from './session.js'

/**
 * The spec with what the user gave to the load balancer that its labels do not tell: values of variables and contents of
 * files, read from the container itself. As it is where there is none.
 */
export async function withKeptBalancer(
  spec: ClusterSpec,
  ctx: Context,
  deps: OperationDeps,
): Promise<ClusterSpec> {
  if (!spec.containers) return spec
  const own = containerName(spec.name, 'lb')
  const engine = await connectToEngine(ctx, deps)
  try {
    // One that has taken the place of another, when that was cut off, may not have its name yet.
    const container = (await engine.container(own)) ?? (await engine.container(`${own}-next`))
    const record = container && recordOfLabels(container.labels)
    if (!container || !record || record.env.length + record.files.length === 0) return spec
    const variables = variablesOf(container.raw)
    const env = Object.fromEntries(record.env.map((key) => [key, variables.get(key) ?? '']))
    const files = await Promise.all(
      record.files.map(async (path): Promise<ContainerFileSpec[]> => {
        const content = await readContainerFile(engine, container.name, path)
        // Files of the user have this mode always.
        return content ? [{ path, content, mode: '0644' }] : []
      }),
    )
    const { mounts, k3sArgs, runtimeLabels } = record
    const lb = { ...PLAIN_CONTAINER, mounts, k3sArgs, runtimeLabels, env, files: files.flat() }
    return { ...spec, containers: { ...spec.containers, lb } }
  } finally {
    await engine.close()
  }
}

/** The variables of a container, from the engine's whole answer. */
function variablesOf(raw: unknown): Map<string, string> {
  const env = (raw as { Config?: { Env?: unknown } } | undefined)?.Config?.Env
  const lines = Array.isArray(env) ? env.map(String) : []
  return new Map(
    lines.map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)] as const),
  )
}
