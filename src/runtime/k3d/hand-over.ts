import { portNodes, portText } from '../../cluster/container/published-ports.js'
import { recordOfLabels } from '../../cluster/container-labels.js'
import {
  type ContainerSpec,
  containerName,
  PLAIN_CONTAINER,
  type PortSpec,
} from '../../cluster/container-spec.js'
import type { ClusterSpec, NodeSpec } from '../../cluster/spec.js'
import { AirliftError } from '../../core/errors.js'
import { containerId } from '../../machine/container-id.js'
import type { Step } from '../../plan/plan.js'
import { apiPort } from '../k3s/config.js'
import type { EngineWorld, World } from '../runtime.js'
import { recordOf } from './container-config.js'
import { CONTAINER } from './contract.js'
import { containerOf, containersOf, engineOf, layoutOf } from './layout.js'
import { lbSteps } from './lb-steps.js'
import {
  balancerText,
  lostBalancerOptions,
  type RememberedBalancer,
  rememberSteps,
} from './remembered-balancer.js'

/** How long the load balancer may take until it leads to a master. Milliseconds. */
const LEADS_MS = 60_000

/** What keeps the address of the API, and ports, when the master leaves whose container publishes them. */
export interface HandOver {
  /** Before it leaves: the others note what is to be published, so that it can be done after a kill as well. */
  readonly remember: readonly Step[]
  /** After it has left, since only then its ports are free. */
  readonly publish: readonly Step[]
}

/**
 * A cluster that had one master first has no load balancer: that master's container publishes the API, and an engine cannot give
 * its ports to another container that exists. So a load balancer is made, or the one for ports replaced, which publishes them
 * as they were: every kubeconfig stays right. Nodes go on to join through masters. Pure.
 *
 * @param staying - the cluster without the masters that leave
 * @throws AirliftError E_IMAGE_MISSING, E_REFUSED
 */
export function handOver(
  staying: ClusterSpec,
  world: World,
  leaving: readonly NodeSpec[],
  publisher: NodeSpec,
): HandOver {
  const name = containerName(staying.name, 'lb')
  const left = leaving.map(({ target }) => target.host)
  const engine = engineOf(world)
  const containers = engine.containers.filter((container) => !left.includes(container.name))
  const spec = { ...staying, containers: { ...containersOf(staying), lb: optionsOf(staying, world, name) } }
  const record = recordToPublish(
    spec,
    { ...world, engine: { ...engine, containers } },
    name,
    publisher,
    world,
  )
  const after: EngineWorld = {
    ...engine,
    containers,
    remembered: { generation: record.generation ?? 0, record },
  }
  const then = { ...world, engine: after }
  return {
    remember: rememberSteps(world, balancerText(record), [], left.map(containerId)),
    publish: publishSteps(spec, then, publisher.target.host),
  }
}

/**
 * The rest of a hand-over whose delete was killed when the master had left: the others remember what is to be published. Empty
 * where nothing is left of one. Pure.
 *
 * @param staying - the cluster without the masters that leave
 * @throws AirliftError E_IMAGE_MISSING, E_REFUSED
 */
export function finishHandOver(staying: ClusterSpec, world: World): readonly Step[] {
  const { remembered } = engineOf(world)
  if (!remembered?.record?.api) return []
  const lb = lostBalancerOptions(staying, remembered)
  return publishSteps({ ...staying, containers: { ...containersOf(staying), lb } }, world, 'the first master')
}

/** Makes the load balancer that masters remember, and waits until it leads to one of them. */
function publishSteps(spec: ClusterSpec, world: World, publisher: string): Step[] {
  const name = containerName(spec.name, 'lb')
  const layout = layoutOf(spec, world)
  const { image } = layout
  if (image.source !== 'present')
    throw new AirliftError('E_IMAGE_MISSING', `the engine has no image ${image.ref} any more`, {
      machine: name,
      hint: `a load balancer is made from it, which is to publish the API when ${publisher} has left: docker pull ${image.ref}`,
    })
  const made = lbSteps(spec, world, layout)
  const status = `sh ${CONTAINER.lbScript} status 2>/dev/null`
  const leads: Step = {
    id: `${name}/leads`,
    machine: containerId(name),
    title: 'wait until the load balancer leads to a master',
    needs: made.map((step) => step.id),
    journal: false,
    actions: [
      {
        kind: 'wait',
        what: 'the load balancer',
        script: `${status} | grep -q '^${apiPort(spec)} api .* up$'`,
        timeoutMs: LEADS_MS,
        diagnose: status,
      },
    ],
  }
  return [...made, leads]
}

/** What the user gave to a load balancer that is there already. */
function optionsOf(spec: ClusterSpec, world: World, name: string): ContainerSpec['lb'] {
  const found = containerOf(world, name)
  const record = found && recordOfLabels(found.labels)
  if (!record) return PLAIN_CONTAINER
  const { mounts, k3sArgs, runtimeLabels } = record
  return { ...containersOf(spec).lb, mounts, k3sArgs, runtimeLabels }
}

/** The load balancer has each port of the nodes once. @throws AirliftError E_REFUSED */
function refuseTwice(
  spec: ClusterSpec,
  before: readonly PortSpec[],
  moved: readonly PortSpec[],
  { target: { host } }: NodeSpec,
): void {
  const to = (port: PortSpec): string => portNodes(port, spec).join()
  const twice = moved.find((port) =>
    before.some(
      (other) =>
        other.containerPort === port.containerPort &&
        other.protocol === port.protocol &&
        to(other) !== to(port),
    ),
  )
  if (!twice) return
  throw new AirliftError(
    'E_REFUSED',
    `${host} publishes ${portText(twice)}, which the load balancer cannot take over: its port ${twice.containerPort} leads to other nodes`,
    {
      machine: host,
      hint: `remove that one first: airlift ports remove ${twice.containerPort} --name ${spec.name}`,
    },
  )
}

/** What the load balancer is made from: what it has, with the API and the ports that the master published through itself. */
function recordToPublish(
  spec: ClusterSpec,
  without: World,
  name: string,
  publisher: NodeSpec,
  world: World,
): NonNullable<RememberedBalancer['record']> {
  const there = containerOf(world, name)
  const before = there && recordOfLabels(there.labels)
  const container = containerOf(world, publisher.target.host)
  const gone = container && recordOfLabels(container.labels)
  const moved = gone?.ports.filter((port) => port.via === 'proxy' && portNodes(port, spec).length > 0) ?? []
  refuseTwice(spec, before?.ports ?? [], moved, publisher)
  const layout = layoutOf(spec, without, { forPorts: true })
  return {
    ...recordOf(spec, layout, name, containersOf(spec).lb, false),
    ...(gone?.api ? { api: gone.api } : {}),
    ports: [...(before?.ports ?? []), ...moved],
    asked: [...(before ? (before.asked ?? before.ports) : []), ...moved],
    generation: 1 + (before?.generation ?? engineOf(world).remembered?.generation ?? 0),
  }
}
