import { nodeEnvironment } from '../../cluster/container/proxy.js'
import { LABELS, nodeOfLabels, recordOfLabels } from '../../cluster/container-labels.js'
import type { ClusterSpec } from '../../cluster/spec.js'
import type { Context } from '../../core/context.js'
import { AirliftError, toAirliftError } from '../../core/errors.js'
import { Secret } from '../../core/secret.js'
import type { Engine, EngineContainer } from '../../machine/docker/engine.js'
import { collectFacts } from '../../machine/facts/collect-facts.js'
import type { Facts } from '../../machine/facts/facts.js'
import type { Machine } from '../../machine/machine.js'
import { k3sFragments } from '../k3s/fragments.js'
import { watchedFiles, worldSecrets } from '../k3s/observe.js'
import { K3S } from '../k3s/paths.js'
import type { EngineWorld, MachineWorld, ObserveInput, World } from '../runtime.js'
import { containerSecret, hiddenValue, nodeOptions } from './container-config.js'
import { CONTAINER } from './contract.js'
import { ARCHIVES } from './engine-steps.js'
import { lookAtEngine, readSmallFile } from './engine-world.js'
import { containerState, plannedFacts } from './facts.js'
import { keptState } from './kept-state.js'
import { containersOf } from './layout.js'
import { certificateFiles } from './node-files.js'

/** Looks at the engine, and into every container that runs, one round trip each. On a first run none does. */
export async function observeK3d(spec: ClusterSpec, input: ObserveInput, ctx: Context): Promise<World> {
  if (!input.engine) throw new AirliftError('E_INTERNAL', 'the runtime k3d was given no container engine')
  const engine = await lookAtEngine(spec, input.engine, input.rootfs)
  const unreachable = [...(input.unreachable ?? [])]
  const kept = input.inside === false ? undefined : await keptState(spec, engine, input.engine)
  const looked = await Promise.all(
    input.machines.map(async ({ machine, node }): Promise<MachineWorld | undefined> => {
      const container = engine.containers.find((entry) => entry.name === node.target.host)
      const record = container && recordOfLabels(container.labels)
      const planned = plannedFacts(node, engine.info, record?.address, kept?.get(node.target.host))
      try {
        const facts =
          container?.state === 'running' && input.inside !== false
            ? (seenFacts(input, machine.id) ?? (await lookInside(spec, input, machine, container, ctx)))
            : planned
        const about = { id: machine.id, name: machine.name, node }
        return { ...about, facts, installed: containerState(container, facts) }
      } catch (error) {
        if (ctx.signal.aborted) throw error
        unreachable.push({ node, id: machine.id, error: toAirliftError(error, 'E_ENGINE') })
        return undefined
      }
    }),
  )
  const machines = looked.filter((machine) => machine !== undefined)
  return {
    machines,
    unreachable,
    secrets: input.inside === false ? new Map() : await secretsOf(spec, machines, engine, input.engine),
    ...(input.rootfs ? { rootfs: input.rootfs } : {}),
    templates: input.templates,
    engine,
  }
}

function seenFacts({ seen }: ObserveInput, id: string): Facts | undefined {
  return seen?.find((machine) => machine.id === id)?.facts
}

/**
 * One round trip into a container, for what only it knows. Its release is in its labels, and its API is asked from outside:
 * each call of k3s in the container would cost a quarter of a second.
 */
async function lookInside(
  spec: ClusterSpec,
  input: ObserveInput,
  machine: Machine,
  container: EngineContainer,
  ctx: Context,
): Promise<Facts> {
  const master = nodeOfLabels(container.labels)?.role === 'master'
  const [api, nodes] = master
    ? await Promise.all(['/readyz', '/api/v1/nodes'].map((path) => input.readApi?.(container.name, path)))
    : ['', '']
  const known: Record<string, string> = {}
  if (container.labels[LABELS.version]) known['k3s-version'] = ''
  if (api !== undefined && api !== 'unavailable') {
    known['k3s-api'] = api
    known['k3s-nodes'] = api === 'ok' ? (nodes ?? '') : ''
    // etcd is asked itself only where nobody else can tell how it is.
    if (!master || api === 'ok') known['k3s-etcd'] = ''
  }
  const { fragments, ...options } = probeOptions(spec, input)
  const facts = await collectFacts(machine, { ...options, fragments: without(fragments, known) }, ctx)
  const managed = { ...facts.managed, fragments: { ...facts.managed.fragments, ...known } }
  return { ...facts, managed }
}

function without(
  fragments: Readonly<Record<string, string>>,
  known: Readonly<Record<string, string>>,
): Record<string, string> {
  return Object.fromEntries(Object.entries(fragments).filter(([name]) => !(name in known)))
}

function probeOptions(spec: ClusterSpec, input: ObserveInput) {
  const own = [
    ...[...spec.masters, ...spec.nodes].flatMap((node) => nodeOptions(node).files),
    ...certificateFiles(spec),
  ]
  return {
    files: [
      ...new Set([...watchedFiles(spec, input), CONTAINER.entryScript, ...own.map((file) => file.path)]),
    ],
    fragments: { ...k3sFragments(), [ARCHIVES]: `ls -A ${CONTAINER.images}/.airlift 2>/dev/null` },
  }
}

/** Everything that plans refer to by name. Any node of the cluster knows its token, also one that does not run. */
async function secretsOf(
  spec: ClusterSpec,
  machines: readonly MachineWorld[],
  world: EngineWorld,
  engine: Engine,
): Promise<Map<string, Secret>> {
  const secrets = worldSecrets(spec, machines)
  // A node that runs has told its token already.
  if (!machines.some(({ facts }) => facts.managed.fragments['k3s-token']?.trim())) {
    const kept = await keptToken(world, engine)
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

async function keptToken(world: EngineWorld, engine: Engine): Promise<string | undefined> {
  for (const container of world.containers) {
    if (container.labels['airlift.role'] === 'lb') continue
    const token = (await readSmallFile(engine, container.name, K3S.tokenFile))?.toString('utf8').trim()
    if (token) return token.replace(/^K10[0-9a-f]+::[a-z]+:/, '')
  }
  return undefined
}
