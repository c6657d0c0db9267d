import { recordOfLabels } from '../cluster/container-labels.js'
import { containerName } from '../cluster/container-spec.js'
import type { ClusterSpec } from '../cluster/spec.js'
import type { Context } from '../core/context.js'
import { readContainerFile } from '../rootfs/tar/read-container-file.js'
import { connectToEngine } from './container-session.js'
import { keptOptions } from './kept-options.js'
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
    const lb = await keptOptions(container, (path) => readContainerFile(engine, container.name, path))
    return { ...spec, containers: { ...spec.containers, lb } }
  } finally {
    await engine.close()
  }
}
