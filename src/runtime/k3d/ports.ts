import { type ChangedPorts, changePorts, type PortsChange } from '../../cluster/container/change-ports.js'
import { LABELS, recordOfLabels } from '../../cluster/container-labels.js'
import { containerName, type PortSpec } from '../../cluster/container-spec.js'
import type { ClusterSpec } from '../../cluster/spec.js'
import { AirliftError } from '../../core/errors.js'
import { containerId } from '../../machine/container-id.js'
import type { ContainerConfig, EngineContainer } from '../../machine/docker/engine.js'
import { type Action, type Plan, type Step, summarize } from '../../plan/plan.js'
import { apiPort } from '../k3s/config.js'
import type { MachineWorld, World } from '../runtime.js'
import { lbContainer } from './container-config.js'
import { CONTAINER, objectNames } from './contract.js'
import { containerOf, engineOf, type Layout, layoutOf, nextPort } from './layout.js'
import { settleSteps } from './next-balancer.js'
import { entries, lbFiles } from './node-files.js'
import { balancerText, isBalancerLost, rememberSteps } from './remembered-balancer.js'

/** How long a new load balancer may take until it leads connections on. Milliseconds. */
const READY_MS = 30_000

/**
 * Changes the published ports of a cluster that runs; no node is touched. An engine cannot give a port to a container that
 * exists, so the load balancer is replaced by one with the same address: made beside the old one, which is stopped for as
 * long as the new one takes to begin, and removed only when it leads connections on. Where there is none, one is made for
 * the ports alone, and removed with the last of them.
 * @throws AirliftError E_SPEC_INVALID, E_UNSUPPORTED, E_REFUSED, E_IMAGE_MISSING, E_ENGINE_CONFLICT
 */
export function planPorts(spec: ClusterSpec, world: World, change: PortsChange): Plan {
  requireBalancer(spec, world)
  const changed = changePorts(spec, engineOf(world).containers, change)
  const settle = settleSteps(spec, world)
  if (changed.added.length + changed.removed.length === 0) return planOf(spec, settle)
  const master = requireRunning(spec, world)
  const guard = guardStep(master)
  const needs = [guard, ...settle].map((step) => step.id)
  const old = containerOf(world, containerName(spec.name, 'lb'))
  const known = old && recordOfLabels(old.labels)
  const fronts = known?.loadBalancer === true || known?.api !== undefined
  const replaced =
    changed.balanced.length === 0 && !fronts
      ? removeSteps(spec, world, old, needs)
      : replaceSteps(spec, world, { changed, old, master, needs })
  return planOf(spec, [guard, ...settle, ...replaced])
}

/** Takes back what a change did that failed; or ends it, where only the name was left to do. */
export function planPortsUndo(spec: ClusterSpec, world: World, before: World): Plan {
  const name = containerName(spec.name, 'lb')
  if (!containerOf(before, name)) {
    const actions = [objectNames.lbNext(spec.name), name].map(
      (one): Action => ({ kind: 'container', op: 'remove', name: one }),
    )
    const title = 'remove the load balancer that was made'
    return planOf(spec, [step(name, 'undo', title, [], 'remove', actions)])
  }
  const settle = settleSteps(spec, world)
  const stopped = containerOf(world, name)?.state === 'exited' && engineOf(world).lbNext !== 'rename'
  const needs = settle.map((one) => one.id)
  const start: Action = { kind: 'container', op: 'start', name }
  const again = stopped ? [step(name, 'undo', 'start the load balancer again', needs, 'change', [start])] : []
  return planOf(spec, [...settle, ...again])
}

function planOf(spec: ClusterSpec, steps: readonly Step[]): Plan {
  return { operation: 'ports', name: spec.name, runtime: 'k3d', steps, summary: summarize(steps) }
}

function step(
  name: string,
  id: string,
  title: string,
  needs: readonly string[],
  effect: 'create' | 'change' | 'remove',
  actions: readonly Action[],
): Step {
  const machine = containerId(name)
  return { id: `${name}/${id}`, machine, title, needs, effect, journal: false, actions }
}

/** With one that is gone its ports would be dropped without a word. */
function requireBalancer(spec: ClusterSpec, world: World): void {
  const engine = engineOf(world)
  if (engine.lbNext || !isBalancerLost(engine, spec.name)) return
  const name = containerName(spec.name, 'lb')
  throw new AirliftError(
    'E_REFUSED',
    `the load balancer ${name} is gone, and with it the ports that it published`,
    {
      machine: name,
      hint: engine.remembered?.record
        ? `make it again first, with its ports: airlift start --name ${spec.name}`
        : 'make it again first: the same airlift run command',
    },
  )
}

/** A cluster that is stopped has nothing to lead to, and nobody there keeps two commands apart. */
function requireRunning(spec: ClusterSpec, world: World): MachineWorld {
  const master = world.machines.find(({ node, installed }) => node.role === 'master' && installed.active)
  const lb = containerOf(world, containerName(spec.name, 'lb'))
  if (master && (!lb || lb.state === 'running' || engineOf(world).lbNext)) return master
  throw new AirliftError('E_REFUSED', `the cluster "${spec.name}" does not run`, {
    hint: `start it first: airlift start --name ${spec.name}`,
  })
}

/** Takes the lock of a master, and finds out whether another command was here since it was looked at. */
function guardStep({ id, name }: MachineWorld): Step {
  return {
    id: `${name}/guard`,
    machine: id,
    title: 'look whether another command works on the cluster',
    needs: [],
    journal: false,
    actions: [{ kind: 'script', script: ':' }],
  }
}

function removeSteps(
  spec: ClusterSpec,
  world: World,
  old: EngineContainer | undefined,
  needs: readonly string[],
): readonly Step[] {
  const name = old?.name ?? containerName(spec.name, 'lb')
  const action: Action = { kind: 'container', op: 'remove', name }
  const generation = 1 + ((old && recordOfLabels(old.labels)?.generation) ?? 0)
  const noted = rememberSteps(world, balancerText(undefined, generation), needs)
  const after = [...needs, ...noted.map((one) => one.id)]
  const title = 'remove the load balancer, which has no port left'
  return [...noted, step(name, 'remove', title, after, 'remove', [action])]
}

interface Replacement {
  readonly changed: ChangedPorts
  readonly old: EngineContainer | undefined
  readonly master: MachineWorld
  readonly needs: readonly string[]
}

function replaceSteps(
  spec: ClusterSpec,
  world: World,
  { changed, old, master, needs }: Replacement,
): readonly Step[] {
  const name = containerName(spec.name, 'lb')
  const next = objectNames.lbNext(spec.name)
  const layout = layoutFor(spec, world, name, changed.balanced)
  const config = nextConfig(spec, world, layout, old, master)
  const create = step(
    next,
    'create',
    `make a load balancer that publishes ${shown(changed)}`,
    needs,
    'create',
    [
      {
        kind: 'container',
        op: 'create',
        config,
        files: entries(lbFiles(spec, world, layout, name)),
      },
    ],
  )
  const actions: readonly Action[] = [
    ...(old ? [{ kind: 'container' as const, op: 'stop' as const, name, timeoutSeconds: 2 }] : []),
    { kind: 'container', op: 'start', name: next },
    leads(spec, layout, master),
  ]
  const title = old ? 'let it take the place of the load balancer' : 'start it'
  const replace = step(next, 'replace', title, [create.id], 'change', actions)
  const text = balancerText(recordOfLabels(config.labels))
  // Once it is certain that it can be had; until the last step the old one counts.
  const noted = rememberSteps(world, text, [replace.id])
  const end: readonly Action[] = [
    ...(old ? [{ kind: 'container' as const, op: 'remove' as const, name }] : []),
    { kind: 'container', op: 'rename', name: next, to: name },
  ]
  const after = [replace.id, ...noted.map((one) => one.id)]
  const last = old ? 'remove the old one' : 'give it its name'
  return [create, replace, ...noted, step(next, 'finish', last, after, 'change', end)]
}

function shown({ balanced }: ChangedPorts): string {
  return balanced.length === 1 ? '1 port' : `${balanced.length} ports`
}

/** The layout with these ports at the load balancer, and its address. */
function layoutFor(spec: ClusterSpec, world: World, name: string, balanced: readonly PortSpec[]): Layout {
  const layout = layoutOf(spec, world, { forPorts: true })
  if (layout.image.source !== 'present')
    throw new AirliftError('E_IMAGE_MISSING', `the engine has no image ${layout.image.ref} any more`, {
      hint: `the load balancer is made from it: docker pull ${layout.image.ref}`,
    })
  const taken = new Set(balanced.map((port) => port.hostPort))
  const free = engineOf(world).freePorts.filter((port) => !taken.has(port))
  const ports = balanced.map((port) => (port.hostPort === 0 ? { ...port, hostPort: nextPort(free) } : port))
  return { ...layout, ports: new Map([...layout.ports, [name, ports]]) }
}

/** The container under the name that it has at first. Its label remembers what the cluster was made with. */
function nextConfig(
  spec: ClusterSpec,
  world: World,
  layout: Layout,
  old: EngineContainer | undefined,
  master: MachineWorld,
): ContainerConfig {
  const config = lbContainer(spec, world, layout, containerName(spec.name, 'lb'))
  const before = old && recordOfLabels(old.labels)
  const record = {
    ...recordOfLabels(config.labels),
    asked: before ? (before.asked ?? before.ports) : [],
    generation: 1 + (before?.generation ?? engineOf(world).remembered?.generation ?? 0),
  }
  const version = containerOf(world, master.name)?.labels[LABELS.version] ?? ''
  return {
    ...config,
    name: objectNames.lbNext(spec.name),
    labels: { ...config.labels, [LABELS.version]: version, [LABELS.spec]: JSON.stringify(record) },
  }
}

/** Until it has its rules; and, where it fronts masters that answer, until one of them is found to answer. */
function leads(spec: ClusterSpec, layout: Layout, master: MachineWorld): Action {
  const status = `sh ${CONTAINER.lbScript} status 2>/dev/null`
  const fronts = layout.lb !== undefined || layout.apiAt === containerName(spec.name, 'lb')
  const api = fronts && master.installed.apiReady
  return {
    kind: 'wait',
    what: 'the new load balancer',
    script: api ? `${status} | grep -q '^${apiPort(spec)} api .* up$'` : `[ -n "$(${status})" ]`,
    timeoutMs: READY_MS,
    diagnose: status,
  }
}
