import { LABELS } from '../../cluster/container-labels.js'
import type { PortSpec } from '../../cluster/container-spec.js'
import type { ClusterSpec } from '../../cluster/spec.js'
import type { ContainerConfig, EngineContainer } from '../../machine/docker/engine.js'
import { mergePlans, type Plan } from '../../plan/plan.js'
import type { EngineWorld, World } from '../runtime.js'
import { planInit } from './init.js'
import { planJoinMasters } from './join-masters.js'
import { planJoinNodes } from './join-nodes.js'
import { withoutNextBalancer } from './next-balancer.js'
import { testContainer, testContainers, testContainerWorld, testEngine } from './world.fixture.js'

export const IMAGE = 'airlift/k3s:1'

export const port = (hostPort: number, containerPort: number, more: Partial<PortSpec> = {}): PortSpec => ({
  address: '127.0.0.1',
  hostPort,
  containerPort,
  protocol: 'tcp',
  via: 'proxy',
  nodes: ['airlift-dev-master-0'],
  group: 'all',
  ...more,
})

export const planAll = (spec: ClusterSpec, world: World): Plan =>
  mergePlans(
    planInit(spec, world),
    planJoinMasters(spec, world, spec.masters),
    planJoinNodes(spec, world, spec.nodes),
  )

export const created = (plan: Plan) =>
  plan.steps
    .flatMap((step) => step.actions)
    .flatMap((action) => (action.kind === 'container' && action.op === 'create' ? [action] : []))

/** The engine with these containers, as it would be looked at. */
export function engineWith(containers: readonly EngineContainer[]): EngineWorld {
  const image = { id: 'i', tags: [], arch: 'amd64', sizeBytes: 1, labels: {}, entrypoint: [], env: [] }
  const sorted = withoutNextBalancer('dev', containers)
  return testEngine({
    containers: sorted.containers,
    temporary: sorted.next ? [sorted.next] : [],
    ...(sorted.lbNext ? { lbNext: sorted.lbNext } : {}),
    images: new Map([[IMAGE, image]]),
    volumes: [{ name: 'airlift-dev-images', labels: {} }],
    freePorts: containers.length > 0 ? [50001, 50002, 50003] : [40001, 40002, 40003],
    networks: [
      {
        id: 'n1',
        name: 'airlift-dev',
        driver: 'bridge',
        subnets: ['10.118.0.0/24'],
        gateway: '10.118.0.1',
        labels: { [LABELS.cluster]: 'dev' },
        containers: {},
      },
    ],
  })
}

/** A cluster that runs, made with these ports. */
export function cluster(masters: number, workers: number, ports: readonly PortSpec[] = []) {
  const spec = testContainers(masters, workers, { image: IMAGE, ports })
  const made = created(planAll(spec, testContainerWorld(spec, engineWith([]))))
  const containers = made.map(({ config }) => testContainer(config))
  return { spec, containers, world: worldOf(spec, containers) }
}

export function worldOf(spec: ClusterSpec, containers: readonly EngineContainer[]): World {
  return testContainerWorld(spec, engineWith(containers), (name) => ({
    installed: {
      active: containers.some((one) => one.name === name && one.state === 'running'),
      initialized: true,
      apiReady: name.includes('master'),
      cluster: 'dev',
    },
  }))
}

export const add = (...texts: string[]) => ({ op: 'add' as const, texts })
export const remove = (...texts: string[]) => ({ op: 'remove' as const, texts })

/** Each step with its actions, for reading. */
export const outline = (plan: Plan): string[] =>
  plan.steps.map((step) => {
    const actions = step.actions.map((action) =>
      'op' in action
        ? `${action.op} ${action.kind === 'container' ? (action.op === 'create' ? action.config.name : action.name) : ''}${action.op === 'rename' ? ` to ${action.to}` : ''}`
        : action.kind,
    )
    const after = step.needs.length > 0 ? ` after ${step.needs.join(', ')}` : ''
    return `${step.id}: ${actions.join(', ')}${after}`.replaceAll('airlift-dev-', '')
  })

export const configOf = (plan: Plan): ContainerConfig => {
  const [made] = created(plan)
  if (!made) throw new Error('a container is created')
  return made.config
}
export const fileOf = (plan: Plan): string | undefined => {
  const entry = created(plan)[0]?.files.find((file) => file.path === '/etc/airlift/lb')
  return entry && 'content' in entry ? entry.content : undefined
}
export const bound = (config: ContainerConfig): string[] =>
  config.ports.map((one) => `${one.address}:${one.hostPort}:${one.containerPort}/${one.protocol}`)

/** The containers after the plan, as an engine would have them; up to so many actions. */
export function carriedOut(
  plan: Plan,
  containers: readonly EngineContainer[],
  count = Number.POSITIVE_INFINITY,
) {
  const now = new Map(containers.map((one) => [one.name, one]))
  for (const action of plan.steps.flatMap((step) => step.actions).slice(0, count)) {
    if (action.kind !== 'container') continue
    const name = action.op === 'create' ? action.config.name : action.name
    const found = now.get(name)
    if (action.op === 'create') now.set(name, testContainer(action.config, 'created'))
    else if (action.op === 'remove') now.delete(name)
    else if (action.op === 'rename' && found) {
      now.delete(name)
      now.set(action.to, { ...found, name: action.to })
    } else if (found)
      now.set(name, {
        ...found,
        state: action.op === 'stop' ? 'exited' : 'running',
        startedAt: '2026-01-02T03:04:05Z',
      })
  }
  return [...now.values()]
}
