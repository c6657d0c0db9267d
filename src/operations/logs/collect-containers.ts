import type { Context } from '../../core/context.js'
import { toAirliftError } from '../../core/errors.js'
import type { Secret } from '../../core/secret.js'
import type { EngineContainer } from '../../machine/docker/engine.js'
import { engineIfAny } from '../engine-clusters.js'
import type { OperationDeps } from '../session.js'
import { redactObjects, redactText } from './redact-text.js'
import type { Tree } from './write-tree.js'

/** Lines of a container's log that are kept. */
const LINES = 20_000

/** The log and state of every container of a cluster, of those too that do not run. Variables may hold secrets: no value is kept. */
export async function collectContainers(
  containers: readonly EngineContainer[],
  secrets: readonly Secret[],
  tree: Tree,
  ctx: Context,
  deps: OperationDeps,
): Promise<void> {
  const engine = await engineIfAny(ctx, deps)
  if (!engine) return
  try {
    for (const { raw: _, ...container } of containers) {
      const text = await engine
        .logs(container.name, { tail: LINES })
        .catch((error) => `${toAirliftError(error).message}\n`)
      ctx.signal.throwIfAborted()
      await tree.write(`containers/${container.name}.log`, redactText(text, secrets))
      await tree.write(`containers/${container.name}.json`, redactObjects(JSON.stringify(container), secrets))
    }
  } finally {
    await engine.close()
  }
}
