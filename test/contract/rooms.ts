import type { ClusterSpec, NodeSpec } from '../../src/cluster/spec.js'
import { Secret } from '../../src/core/secret.js'
import type { Engine } from '../../src/machine/docker/engine.js'
import { fillSecrets } from '../../src/plan/fill-secrets.js'
import type { Action, Plan, Step } from '../../src/plan/plan.js'
import { installedState, worldSecrets } from '../../src/runtime/k3s/observe.js'
import { K3S } from '../../src/runtime/k3s/paths.js'
import { uninstallScript } from '../../src/runtime/k3s/uninstall.js'
import { testFacts, testManifest, testSpec, testWorld } from '../../src/runtime/k3s/world.fixture.js'
import { newRuntime } from '../../src/runtime/new-runtime.js'
import type { Runtime, World } from '../../src/runtime/runtime.js'
import { createContainerEngine } from './container-room.js'
import { type Box, bareBox, SimulatedK3s } from './simulated-k3s.js'

/** The bare password of all simulated clusters: no plan may hold it. */
export const TOKEN = '0123456789abcdef0123456789abcdef'

/** Machines on which the plans of a runtime are carried out, action by action, and which can be looked at again. */
export interface Room {
  readonly runtime: Runtime
  readonly k3s: SimulatedK3s
  /** A spec for so many masters and workers; a larger one names the same machines and more. */
  spec(masters: number, workers: number, more?: Partial<ClusterSpec>): ClusterSpec
  look(spec: ClusterSpec): Promise<World>
  /** Does everything that a plan says, in its order. @throws Error for a plan that cannot be done */
  carryOut(plan: Plan, world: World): Promise<void>
  /** Everything that exists: empty when nothing was made, or all of it removed. */
  left(): Promise<readonly string[]>
  /** Name of a node, as the cluster knows it. */
  nodeName(node: NodeSpec): string
  /** What was given to a container engine to make; empty on hosts. */
  readonly given: () => string
}

/** A new room for a runtime. */
export async function openRoom(name: 'k3s' | 'k3d'): Promise<Room> {
  const runtime = await newRuntime(name)
  return name === 'k3s' ? hostRoom(runtime) : createContainerEngine(runtime, carryOut)
}

/** Puts the token into a first world, as `run` does. */
export function withToken(spec: ClusterSpec, machines: World['machines']): World['secrets'] {
  const secrets = worldSecrets(spec, machines)
  if (!secrets.has('token')) secrets.set('token', new Secret(TOKEN))
  return secrets
}

function hostRoom(runtime: Runtime): Room {
  const k3s = new SimulatedK3s()
  const masters = (count: number): NodeSpec[] => [...testSpec(count, 0).masters]
  // Workers are further up, so that more masters do not move them.
  const workers = (count: number): NodeSpec[] => testSpec(20, count).nodes.slice()
  const nodeName = (node: NodeSpec): string => `bare${node.target.host.split('.').at(-1)}`
  const boxOf = (node: NodeSpec): Box => {
    const name = nodeName(node)
    const box = k3s.boxes.get(name) ?? bareBox(name, node.target.host)
    k3s.boxes.set(name, box)
    return box
  }
  return {
    runtime,
    k3s,
    nodeName,
    spec: (m, w, more = {}) => ({ ...testSpec(0, 0), masters: masters(m), nodes: workers(w), ...more }),
    async look(spec) {
      const machines = [...spec.masters, ...spec.nodes].map((node) => {
        const box = boxOf(node)
        const facts = testFacts(node.target.host, box.name, { managed: k3s.managed(box, node.role) })
        const { text, host } = node.target
        return { id: `ssh://root@${host}:22`, name: text, node, facts, installed: installedState(facts) }
      })
      return testWorld(spec, { machines, secrets: withToken(spec, machines) })
    },
    carryOut: (plan, world) => carryOut(plan, world, { k3s }),
    left: async () =>
      [...k3s.boxes.values()].filter((box) => box.files.size > 0 || box.running).map((box) => box.name),
    given: () => '',
  }
}

/** What carries out actions that are not of a machine's inside. */
export interface Carrier {
  readonly k3s: SimulatedK3s
  readonly engine?: Engine
  /** Does an action of the engine, with what follows from it inside the container. */
  readonly onEngine?: (action: Action, world: World, fill: (text: string) => string) => Promise<void>
  /** Writes a file where a container keeps it. */
  readonly onWrite?: (
    step: Step,
    action: Extract<Action, { kind: 'write' }>,
    content: Buffer,
  ) => Promise<void>
}

/** Executes the steps one by one, each when what it needs is done. */
export async function carryOut(plan: Plan, world: World, by: Carrier): Promise<void> {
  const secrets = new Map(world.secrets)
  const fill = (text: string): string => fillSecrets(text, secrets)
  const left = [...plan.steps]
  const done = new Set<string>()
  while (left.length > 0) {
    const at = left.findIndex((step) => step.needs.every((id) => done.has(id)))
    const [step] = at < 0 ? [] : left.splice(at, 1)
    if (!step) throw new Error(`no step can begin: ${left.map(({ id }) => id).join(', ')}`)
    for (const action of step.actions) {
      if (['network', 'volume', 'image', 'container'].includes(action.kind)) {
        await by.onEngine?.(action, world, fill)
        continue
      }
      const box = boxAt(step.machine, world, by.k3s)
      if (action.kind === 'write') {
        const content = Buffer.from(fill(action.content), action.base64 ? 'base64' : 'utf8')
        await by.onWrite?.(step, action, content)
        box?.files.set(action.path, { mode: action.mode, content })
      } else if (action.kind === 'capture') {
        secrets.set(action.secret, new Secret(read(box, action.script)))
      } else if (box) inside(by.k3s, box, action, world)
    }
    done.add(step.id)
    if (step.journal !== false) boxAt(step.machine, world, by.k3s)?.journal.push(step.id)
  }
}

function boxAt(id: string, world: World, k3s: SimulatedK3s): Box | undefined {
  const machine = world.machines.find((entry) => entry.id === id)
  return machine && k3s.boxes.get(machine.facts.hostname)
}

/** What a script that is captured prints: `cat FILE` is all that plans use. */
function read(box: Box | undefined, script: string): string {
  const path = /^cat (\S+)$/.exec(script)?.[1] ?? ''
  const file = box?.files.get(path)
  if (!file) throw new Error(`${box?.name}: nothing is at ${path}`)
  return file.content.toString('utf8').trim()
}

/** An action on the inside of a machine. */
function inside(k3s: SimulatedK3s, box: Box, action: Action, world: World): void {
  if (action.kind === 'stage') for (const blob of action.blobs) box.blobs.set(blob.sha256, blob.sizeBytes)
  if (action.kind === 'link') {
    if (!box.blobs.has(action.sha256)) throw new Error(`${box.name}: ${action.path} has no blob`)
    box.files.set(action.path, { mode: action.mode, content: Buffer.alloc(0), blob: action.sha256 })
  }
  if (action.kind === 'remove') for (const path of action.paths) box.files.delete(path)
  if (action.kind === 'script') k3s.script(box, action.script, world.engine ? '' : uninstallScript(world))
  if (action.kind === 'service') {
    if (action.op === 'stop') box.running = false
    if (action.op !== 'start' && action.op !== 'restart') return
    if (!box.files.has(K3S.binary)) throw new Error(`${box.name}: there is no k3s`)
    k3s.start(box, action.unit === 'k3s' ? 'master' : 'worker')
  }
}

/** The rootfs of all rooms. */
export const rootfs = { manifest: testManifest }
