import { nodeEnvironment } from '../../cluster/container/proxy.js'
import { recordOfLabels } from '../../cluster/container-labels.js'
import type { ClusterSpec, NodeSpec } from '../../cluster/spec.js'
import type { Context } from '../../core/context.js'
import { AirliftError, toAirliftError } from '../../core/errors.js'
import { Secret } from '../../core/secret.js'
import type { Engine } from '../../machine/docker/engine.js'
import type { Facts } from '../../machine/facts/facts.js'
import { worldSecrets } from '../k3s/observe.js'
import type { EngineWorld, MachineWorld, ObserveInput, World } from '../runtime.js'
import { containerSecret, nodeOptions } from './container-config.js'
import { listEngine, lookAtEngine, lookAtOwn } from './engine-world.js'
import { containerState, plannedFacts } from './facts.js'
import { hiddenValue } from './k3s-args.js'
import { keptState } from './kept-state.js'
import { keptToken } from './kept-token.js'
import { containersOf } from './layout.js'
import { lookAtMade, lookBeside, lookInside } from './look-inside.js'

/**
 * Looks at the engine, and into every container that runs, one round trip each. On a first run none does. What takes longest
 * of both is done at the same time.
 */
export async function observeK3d(spec: ClusterSpec, input: ObserveInput, ctx: Context): Promise<World> {
  const own = input.engine
  if (!own) throw new AirliftError('E_INTERNAL', 'the runtime k3d was given no container engine')
  if (input.ownOnly) return ownWorld(input, await lookAtOwn(spec, own))
  const listing = await listEngine(spec, own)
  const [engine, looks] = await Promise.all([
    lookAtEngine(spec, own, input.rootfs, listing),
    Promise.all(
      input.machines.map(async ({ machine, node }) => {
        const container = listing.all.find((entry) => entry.name === node.target.host)
        if (container?.state !== 'running' || input.inside === false) return {}
        const seen = seenFacts(input, machine.id)
        if (seen) return { seen }
        try {
          const known = input.made?.has(machine.id) ? await lookAtMade(input, container) : undefined
          if (known) return { made: true as const, managed: known }
          const beside = input.toJoin ? await lookBeside(input, own, container) : undefined
          if (beside) return { managed: beside }
          return { managed: await lookInside(spec, input, machine, container, ctx) }
        } catch (error) {
          if (ctx.signal.aborted) throw error
          return { error: toAirliftError(error, 'E_ENGINE') }
        }
      }),
    ),
  ])
  const unreachable = [...(input.unreachable ?? [])]
  const kept = input.inside === false ? undefined : await keptState(spec, engine, own)
  const machines = input.machines.flatMap(({ machine, node }, index): MachineWorld[] => {
    const { seen, made, managed, error } = looks[index] ?? {}
    if (error) {
      unreachable.push({ node, id: machine.id, error })
      return []
    }
    const planned = plannedMachine(machine, node, engine, kept?.get(node.target.host))
    const facts = seen ?? (managed ? { ...planned.facts, managed } : planned.facts)
    const container = engine.containers.find((entry) => entry.name === node.target.host)
    return [{ ...planned, facts, installed: containerState(container, facts), ...(made ? { made } : {}) }]
  })
  return {
    machines,
    unreachable,
    secrets: input.inside === false ? new Map() : await secretsOf(spec, machines, engine, own),
    ...(input.rootfs ? { rootfs: input.rootfs } : {}),
    templates: input.templates,
    engine,
  }
}

/** A world that is looked at to be removed. */
function ownWorld({ machines, templates, unreachable = [] }: ObserveInput, engine: EngineWorld): World {
  return {
    machines: machines.map(({ machine, node }) => plannedMachine(machine, node, engine)),
    unreachable,
    secrets: new Map(),
    templates,
    engine,
  }
}

/** A container of which only the engine was asked. */
function plannedMachine(
  { id, name }: ObserveInput['machines'][number]['machine'],
  node: NodeSpec,
  { containers, info }: EngineWorld,
  fragments?: Readonly<Record<string, string>>,
): MachineWorld {
  const container = containers.find((entry) => entry.name === node.target.host)
  const record = container && recordOfLabels(container.labels)
  const facts = plannedFacts(node, info, record?.address, fragments)
  return { id, name, node, facts, installed: containerState(container, facts) }
}

function seenFacts({ seen }: ObserveInput, id: string): Facts | undefined {
  return seen?.find((machine) => machine.id === id)?.facts
}

/** Everything that plans refer to by name. Any node of the cluster knows its token, also one that does not run. */
async function secretsOf(
  spec: ClusterSpec,
  machines: readonly MachineWorld[],
  world: EngineWorld,
  engine: Engine,
): Promise<Map<string, Secret>> {
  const secrets = worldSecrets(spec, machines)
  // A master that was looked into has told its token. Where all that there is was made just now, nobody asks for it.
  if (!secrets.has('token') && !machines.every(({ made }) => made)) {
    const kept = await keptToken(spec, world, engine)
    if (kept !== undefined) secrets.set('token', new Secret(kept))
  }
  const options = [
    ...[...spec.masters, ...spec.nodes].map((node) => ({
      name: node.target.host,
      own: nodeOptions(node),
    })),
    { name: `airlift-${spec.name}-lb`, own: containersOf(spec).lb },
  ]
  for (const { name, own } of options) {
    for (const [key, value] of Object.entries(nodeEnvironment(own.env, containersOf(spec).proxy)))
      secrets.set(containerSecret.env(name, key), new Secret(value))
    for (const file of own.files)
      secrets.set(containerSecret.file(name, file.path), new Secret(file.content.toString('base64')))
    for (const [index, arg] of own.k3sArgs.entries()) {
      const value = hiddenValue(arg)
      if (value !== undefined) secrets.set(containerSecret.arg(name, index), new Secret(value))
    }
  }
  return secrets
}
