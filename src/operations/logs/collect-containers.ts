import type { Context } from '../../core/context.js'
import { toAirliftError } from '../../core/errors.js'
import type { Secret } from '../../core/secret.js'
import type { Engine } from '../../machine/docker/engine.js'
import type { EngineWorld } from '../../runtime/runtime.js'
import { redactObjects, redactText } from './redact-text.js'
import type { Tree } from './write-tree.js'

/** Lines of a container's log that are kept. */
const LINES = 20_000

/**
 * The log and state of every container of a cluster, of those too that do not run; and what the engine says of itself and has
 * of the cluster. Variables may hold secrets: no value is kept.
 */
export async function collectContainers(
  world: EngineWorld,
  engine: Engine,
  secrets: readonly Secret[],
  tree: Tree,
  ctx: Context,
): Promise<void> {
  await tree.write('engine.json', redactObjects(JSON.stringify(engineFacts(world)), secrets))
  for (const { raw: _, ...container } of [...world.containers, ...(world.temporary ?? [])]) {
    const text = await engine
      .logs(container.name, { tail: LINES })
      .catch((error) => `${toAirliftError(error).message}\n`)
    ctx.signal.throwIfAborted()
    await tree.write(`containers/${container.name}.log`, redactText(text, secrets))
    await tree.write(`containers/${container.name}.json`, redactObjects(JSON.stringify(container), secrets))
  }
}

/** The engine, and its networks and volumes as far as they are of this cluster. Pure. */
function engineFacts({
  endpoint,
  info,
  containers,
  networks,
  volumes,
  computer,
}: EngineWorld): Readonly<Record<string, unknown>> {
  const used = new Set(containers.flatMap(({ addresses }) => Object.keys(addresses)))
  return { endpoint, info, networks: networks.filter(({ name }) => used.has(name)), volumes, computer }
}
