import { createHash } from 'node:crypto'
import type { ClusterSpec } from '../../cluster/spec.js'
import type { ContainerConfig, EngineContainer } from '../../machine/docker/engine.js'
import { fillSecrets } from '../../plan/fill-secrets.js'
import { mergePlans, type Plan } from '../../plan/plan.js'
import type { MachineWorld, World } from '../runtime.js'
import { planInit } from './init.js'
import { planJoinMasters } from './join-masters.js'
import { planJoinNodes } from './join-nodes.js'
import { testContainer, testContainerWorld, testEngine } from './world.fixture.js'

export function planAll(spec: ClusterSpec, world: World): Plan {
  return mergePlans(
    planInit(spec, world),
    planJoinMasters(spec, world, spec.masters),
    planJoinNodes(spec, world, spec.nodes),
  )
}

/** Id, needs and kinds of actions: what the order of a plan is judged by. */
export const outline = (plan: Plan): string[] =>
  plan.steps.map(
    (step) =>
      `${step.id.replaceAll('airlift-dev-', '')} [${step.actions.map((action) => ('op' in action ? `${action.kind}.${action.op}` : action.kind)).join(' ')}]${step.needs.length ? ` after ${step.needs.join(', ').replaceAll('airlift-dev-', '')}` : ''}`,
  )

export interface Created {
  readonly config: ContainerConfig
  readonly files: readonly { readonly path: string; readonly mode?: string; readonly content?: string }[]
}

export const creations = (plan: Plan): Created[] =>
  plan.steps
    .flatMap((step) => step.actions)
    .flatMap((action) => (action.kind === 'container' && action.op === 'create' ? [action] : []))

export const configOf = (plan: Plan, name: string): string =>
  creations(plan)
    .find((made) => made.config.name === name)
    ?.files.find((file) => file.path === '/etc/rancher/k3s/config.yaml')?.content ?? ''

/** The same world after everything was done: what `observe` would find. */
export function settled(
  spec: ClusterSpec,
  world: World,
  change: (made: Created) => Partial<EngineContainer> = () => ({}),
): World {
  const plan = planAll(spec, world)
  const made = creations(plan)
  const containers = made.map((one) => ({ ...testContainer(one.config), ...change(one) }))
  const network = plan.steps
    .flatMap((step) => step.actions)
    .find((action) => action.kind === 'network' && action.op === 'create')
  const engine = testEngine({
    containers,
    networks: [
      ...testEngine().networks,
      ...(network && network.kind === 'network' && network.op === 'create'
        ? [
            {
              id: 'n1',
              name: network.name,
              driver: 'bridge',
              subnets: [network.subnet, network.subnet6].filter((subnet) => subnet !== undefined),
              gateway: network.gateway,
              ...(network.gateway6 === undefined ? {} : { gateway6: network.gateway6 }),
              labels: network.labels,
              containers: {},
            },
          ]
        : []),
    ],
    volumes: plan.steps
      .flatMap((step) => step.actions)
      .flatMap((action) => (action.kind === 'volume' ? [{ name: action.name, labels: {} }] : [])),
    images: new Map([
      [
        made[0]?.config.image ?? '',
        { id: 'i', tags: [], arch: 'amd64', sizeBytes: 1, labels: {}, entrypoint: [], env: [] },
      ],
    ]),
    freePorts: [50001, 50002, 50003],
    ...(spec.masters.length > 1
      ? {
          lbTargets:
            made.flatMap((one) => one.files).find((file) => file.path === '/etc/airlift/lb')?.content ?? '',
        }
      : {}),
  })
  const nodes = world.machines.map((machine) => ({
    name: machine.name,
    role: machine.node.role,
    ready: true,
    version: 'v1.33.1+k3s1',
    address: '',
    message: '',
  }))
  return testContainerWorld(spec, engine, (name): Partial<MachineWorld> => {
    const machine = world.machines.find((entry) => entry.name === name)
    const one = made.find((entry) => entry.config.name === name)
    const state = containers.find((entry) => entry.name === name)?.state
    if (!machine || !one || state !== 'running') return {}
    const master = machine.node.role === 'master'
    return {
      facts: {
        ...machine.facts,
        managed: {
          ...machine.facts.managed,
          fragments: { 'k3d-archives': 'c2'.repeat(32) },
          files: one.files.map((file) => {
            const bytes = Buffer.from(fillSecrets(file.content ?? '', world.secrets))
            return {
              path: file.path,
              mode: file.mode ?? '',
              sizeBytes: bytes.length,
              sha256: createHash('sha256').update(bytes).digest('hex'),
            }
          }),
        },
      },
      installed: {
        cluster: spec.name,
        role: machine.node.role,
        version: 'v1.33.1+k3s1',
        active: true,
        initialized: true,
        apiReady: master,
        ...(master ? { nodes } : {}),
      },
    }
  })
}
