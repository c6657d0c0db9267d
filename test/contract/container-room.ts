import type { ClusterSpec } from '../../src/cluster/spec.js'
import { createContext } from '../../src/core/context.js'
import { containerId } from '../../src/machine/container-id.js'
import { createFakeEngine } from '../../src/machine/docker/fake-engine.js'
import { writeTar } from '../../src/machine/docker/fake-files.js'
import { engineHandler } from '../../src/operations/engine-handler.js'
import type { Action } from '../../src/plan/plan.js'
import { objectNames } from '../../src/runtime/k3d/contract.js'
import { ARCHIVES } from '../../src/runtime/k3d/engine-steps.js'
import { listEngine, lookAtEngine } from '../../src/runtime/k3d/engine-world.js'
import { containerState, plannedFacts } from '../../src/runtime/k3d/facts.js'
import { testContainers, testContainerWorld } from '../../src/runtime/k3d/world.fixture.js'
import { testManifest, testWorld } from '../../src/runtime/k3s/world.fixture.js'
import type { MachineWorld, Runtime } from '../../src/runtime/runtime.js'
import { type Carrier, type carryOut, type Room, rootfs, withToken } from './rooms.js'
import { type Box, bareBox, SimulatedK3s } from './simulated-k3s.js'

/**
 * A room of containers: actions of the engine are carried out by the product's own handler on the engine in memory, and the
 * engine is looked at by the product's own code; only what is inside of containers is simulated.
 */
export function createContainerEngine(runtime: Runtime, carry: typeof carryOut): Room {
  const k3s = new SimulatedK3s()
  const archives = new Set<string>()
  // Of another computer, so that nothing of this one is looked at.
  const endpoint = { url: 'tcp://192.0.2.1:2376', local: false, host: '192.0.2.1' }
  const engine = createFakeEngine({ endpoint, onStart: (name) => started(name) })
  const handle = engineHandler(engine, undefined, createContext())

  /** The inside of a container: what the engine has of it, and over it what k3s and plans wrote while it ran. */
  const boxOf = async (name: string): Promise<Box | undefined> => {
    const container = await engine.container(name)
    if (!container || container.labels['airlift.role'] === 'lb') return undefined
    const record = JSON.parse(container.labels['airlift.spec'] ?? '{}') as { address?: string }
    const box = k3s.boxes.get(name) ?? bareBox(name, record.address ?? '')
    for (const [path, { kind, mode, content }] of engine.files(name))
      if (kind === 'file') box.files.set(path, { mode, content })
    k3s.boxes.set(name, box)
    return box
  }
  const started = async (name: string): Promise<void> => {
    const box = await boxOf(name)
    const container = await engine.container(name)
    if (box) k3s.start(box, container?.labels['airlift.role'] === 'master' ? 'master' : 'worker')
  }

  const onEngine: Carrier['onEngine'] = async (action, _world, fill) => {
    if (action.kind === 'image') return bringImage(action)
    const options = { fill, signal: new AbortController().signal, onProgress: () => {} }
    await handle(action as Parameters<typeof handle>[0], options)
    for (const box of k3s.boxes.values())
      box.running = (await engine.container(box.name))?.state === 'running'
    // A container keeps what is in its volume when it is replaced.
    if (action.kind === 'volume' && action.op === 'remove') k3s.boxes.delete(action.name)
  }
  const bringImage = (action: Extract<Action, { kind: 'image' }>): void => {
    if (action.op === 'fill') for (const blob of action.blobs) archives.add(blob.sha256)
    else engine.addImage(action.ref)
  }
  const onWrite: Carrier['onWrite'] = async (step, { path, mode }, content) => {
    const name = step.machine.replace('docker://', '')
    await engine.putArchive(name, '/', writeTar(new Map([[path, { kind: 'file', mode, content }]])))
  }

  return {
    runtime,
    k3s,
    nodeName: (node) => node.target.host,
    spec: (masters, workers, more = {}) => testContainers(masters, workers, {}, more),
    async look(spec) {
      const seen = await lookAtEngine(spec, engine, rootfs, await listEngine(spec, engine))
      const archived = { [ARCHIVES]: [...archives].join('\n') }
      const machines = await Promise.all(
        [...spec.masters, ...spec.nodes].map(async (node): Promise<MachineWorld> => {
          const name = node.target.host
          const container = seen.containers.find((one) => one.name === name)
          const box = await boxOf(name)
          const planned = plannedFacts(node, seen.info, box?.address)
          const managed = box && container?.state === 'running' ? k3s.managed(box, node.role) : undefined
          const facts = managed
            ? { ...planned, managed: { ...managed, fragments: { ...managed.fragments, ...archived } } }
            : planned
          return { id: containerId(name), name, node, facts, installed: containerState(container, facts) }
        }),
      )
      const templates = { ...testWorld(spec).templates, ...testContainerWorld(spec).templates }
      return {
        machines,
        unreachable: [],
        secrets: withToken(spec, machines),
        rootfs: { manifest: testManifest },
        templates,
        engine: seen,
      }
    },
    carryOut: (plan, world) => carry(plan, world, { k3s, engine, onEngine, onWrite }),
    left: async () => ownNames(engine, testContainers(1, 0)),
    given: () => JSON.stringify(engine.calls.filter((call) => call.method === 'createContainer')),
  }
}

/** Containers, networks and volumes of a cluster. */
async function ownNames(
  engine: ReturnType<typeof createFakeEngine>,
  spec: ClusterSpec,
): Promise<readonly string[]> {
  const [containers, networks, volumes] = await Promise.all([
    engine.containers([]),
    engine.networks(),
    engine.volumes([]),
  ])
  return [
    ...containers,
    ...networks.filter(({ name }) => name === objectNames.network(spec.name)),
    ...volumes,
  ].map(({ name }) => name)
}
