import { describe, expect, it } from 'vitest'
import { Secret } from '../../core/secret.js'
import { fillSecrets } from '../../plan/fill-secrets.js'
import type { Plan } from '../../plan/plan.js'
import type { MachineWorld } from '../runtime.js'
import { configSecrets } from './config.js'
import { createK3sRuntime } from './runtime.js'
import { planAll, settled } from './settled.fixture.js'
import { testMachine, testSpec, testWorld } from './world.fixture.js'

const runtime = createK3sRuntime()

/** Id, needs and kinds of actions: what the order of a plan is judged by. */
const outline = (plan: Plan): string[] =>
  plan.steps.map(
    (step) =>
      `${step.id} [${step.actions.map((action) => action.kind).join(' ')}]${step.needs.length ? ` after ${step.needs.join(', ')}` : ''}`,
  )

/** What the starts of a plan wait for beside their own machines' files. */
const startsOf = (plan: Plan): string[][] =>
  plan.steps
    .filter((step) => step.id.endsWith('/start'))
    .map((step) => step.needs.filter((id) => !id.endsWith('/stage') && !id.endsWith('/install')))

describe('a new cluster', () => {
  it('of one master and two workers prepares workers while the master starts', async () => {
    const spec = testSpec(1, 2)
    const plan = planAll(spec, testWorld(spec))
    await expect(JSON.stringify(plan, null, 2)).toMatchFileSnapshot('golden/one-master-two-workers.json')
  })

  it('starts workers only after the join token can be read', () => {
    const spec = testSpec(1, 1)
    expect(outline(planAll(spec, testWorld(spec)))).toEqual([
      'bare1/stage [stage]',
      'bare1/install [link link write write write write write script script service] after bare1/stage',
      'bare1/start [write service wait] after bare1/stage, bare1/install',
      'cluster/answers [capture] after bare1/start',
      'bare1/ready [wait wait wait script] after bare1/start',
      'bare2/stage [stage] after bare1/stage',
      'bare2/install [link link write write write write write script script service script] after bare2/stage',
      'bare2/start [write service wait wait script] after bare2/stage, bare2/install, cluster/answers',
    ])
  })

  it('starts the other masters together, as soon as the first one answers', () => {
    const spec = testSpec(3, 0)
    expect(startsOf(planAll(spec, testWorld(spec)))).toEqual([[], ['cluster/answers'], ['cluster/answers']])
  })

  it('lets the first master hurry their votes, for as long as somebody waits for them', () => {
    const votes = (options: Parameters<typeof testSpec>[2]): Plan['steps'] => {
      const spec = testSpec(3, 0, options)
      return planAll(spec, testWorld(spec)).steps.filter((step) => step.id === 'cluster/votes')
    }
    expect(votes({})).toMatchObject([
      {
        machine: 'ssh://root@10.0.0.1:22',
        needs: ['cluster/answers'],
        assists: ['bare2/start', 'bare3/start'],
      },
    ])
    expect(votes({ wait: 'none' })).toEqual([])
    const single = testSpec(1, 2)
    expect(planAll(single, testWorld(single)).steps.map(({ id }) => id)).not.toContain('cluster/votes')
  })

  it('starts them together also where the first one was begun before', () => {
    const spec = testSpec(3, 0)
    const world = testWorld(spec)
    const secrets = new Map(world.secrets).set('join-token', new Secret('K10aa::server:0123456789abcdef'))
    expect(startsOf(planAll(spec, { ...world, secrets }))).toEqual([[], ['bare1/start'], ['bare1/start']])
  })

  it('holds no secrets, only their names', () => {
    const spec = testSpec(1, 1, { config: { 'datastore-endpoint': 'postgres://u:hunter22@db/k' } })
    const text = JSON.stringify(planAll(spec, testWorld(spec)))
    expect(text).not.toContain('hunter22')
    expect(text).not.toContain('0123456789abcdef')
    expect(text).toContain('{{secret:config:datastore-endpoint}}')
  })

  it('hides passwords wherever they stand in the configuration, and fills them in where they stood', () => {
    const config = {
      'etcd-s3-proxy': 'http://u:hunter22@p:3128',
      'kube-apiserver-arg': ['v=2', 'oidc-client-secret=hunter22'],
      'my-secret': 'hunter22',
    }
    const spec = testSpec(1, 1, { config })
    const world = testWorld(spec)
    const plan = planAll(spec, world)
    expect(JSON.stringify(plan)).not.toContain('hunter22')
    const written = plan.steps
      .flatMap(({ actions }) => actions)
      .find((action) => action.kind === 'write' && action.path.endsWith('config.yaml')) as { content: string }
    const filled = fillSecrets(written.content, new Map([...world.secrets, ...configSecrets(spec)]))
    expect(filled).toContain('kube-apiserver-arg:\n  - "v=2"\n  - "oidc-client-secret=hunter22"\n')
    expect(filled).toContain('etcd-s3-proxy: "http://u:hunter22@p:3128"')
  })
})

describe('run again', () => {
  it('joins masters one after the other where one carries data', () => {
    const spec = testSpec(3, 0)
    const bare = testWorld(spec)
    const [first] = settled(spec, bare).machines
    const nodes = first?.installed.nodes?.slice(0, 1) ?? []
    const machines = bare.machines.map((machine, i) =>
      i === 0 && first ? { ...first, installed: { ...first.installed, nodes } } : machine,
    )
    const secrets = new Map(bare.secrets).set('join-token', new Secret('K10aa::server:0123456789abcdef'))
    expect(startsOf(planAll(spec, { ...bare, secrets, machines }))).toEqual([[], ['bare2/start']])
  })

  it.each([
    [1, 2],
    [3, 1],
  ])('does nothing to a cluster of %i masters and %i workers that is as it must be', (masters, workers) => {
    const spec = testSpec(masters, workers)
    expect(outline(planAll(spec, settled(spec, testWorld(spec))))).toEqual([])
  })

  it('starts a service that was stopped, and nothing else', () => {
    const spec = testSpec(1, 1)
    const world = settled(spec, testWorld(spec))
    const machines = world.machines.map((machine, i) =>
      i === 1 ? { ...machine, installed: { ...machine.installed, active: false } } : machine,
    )
    expect(outline(planAll(spec, { ...world, machines }))).toEqual([
      'bare2/start [script service wait wait script remove]',
    ])
  })

  it('waits for the report of a node that was started again, not for what the cluster remembers of it', () => {
    const spec = testSpec(1, 1)
    const world = settled(spec, testWorld(spec))
    const starting = (machine: MachineWorld, i: number): MachineWorld => {
      const { facts } = machine
      const fragments = { ...facts.managed.fragments, 'k3s-starting': '2026-01-01T00:00:00Z' }
      return i === 1 ? { ...machine, facts: { ...facts, managed: { ...facts.managed, fragments } } } : machine
    }
    const { steps } = planAll(spec, { ...world, machines: world.machines.map(starting) })
    expect(steps.map((step) => step.title)).toEqual(['wait for k3s-agent'])
    expect(steps[0]?.actions[0]).toMatchObject({ kind: 'wait', what: 'node bare2 to be Ready again' })
    expect(steps[0]?.actions.at(-1)).toEqual({ kind: 'remove', paths: ['/var/lib/airlift/starting'] })
  })

  it('starts stopped masters at the same time, since none is ready before a majority runs', () => {
    const spec = testSpec(3, 1)
    const world = settled(spec, testWorld(spec))
    const machines = world.machines.map((machine) => {
      const { nodes: _, ...installed } = machine.installed
      return { ...machine, installed: { ...installed, active: false, apiReady: false } }
    })
    const secrets = new Map(world.secrets).set('join-token', new Secret('K10aa::server:bb'))
    const starts = planAll(spec, { ...world, secrets, machines }).steps.filter((step) =>
      step.id.endsWith('/start'),
    )
    expect(starts.map(({ id, needs }) => [id, needs])).toEqual([
      ['bare1/start', []],
      ['bare2/start', []],
      ['bare3/start', []],
      ['bare4/start', ['bare1/start']],
    ])
  })

  it('restarts only the node whose configuration changed', () => {
    const spec = testSpec(1, 2)
    const world = settled(spec, testWorld(spec))
    const [master, worker, other] = spec.masters.concat(spec.nodes)
    if (!master || !worker || !other) throw new Error('three nodes')
    const labelled = { ...worker, labels: { disk: 'ssd' } }
    const machines = world.machines.map((machine) =>
      machine.node === worker ? { ...machine, node: labelled } : machine,
    )
    const changed = { ...spec, nodes: [labelled, other] }
    expect(outline(planAll(changed, { ...world, machines }))).toEqual([
      'bare2/install [write]',
      'bare2/start [script service wait wait script remove] after bare2/install',
    ])
  })

  it('sends only the blobs that a machine lacks', () => {
    const spec = testSpec(1, 0)
    const machine = testMachine(spec.masters[0] ?? never(), 'bare1', {
      blobs: [{ sha256: 'b1'.repeat(32), sizeBytes: 1 }],
    })
    const [stage] = planAll(spec, testWorld(spec, { machines: [machine] })).steps
    expect(stage?.actions).toEqual([
      {
        kind: 'stage',
        blobs: [
          { sha256: 'c2'.repeat(32), sizeBytes: 700_000, name: 'images/mirrored-pause-0a1b2c3d4e5f.tar' },
        ],
      },
    ])
  })

  it('joins through the master that runs, whatever order they are named in', () => {
    const spec = testSpec(2, 0)
    const world = settled(spec, testWorld(spec))
    const machines = world.machines.map((machine, i) =>
      i === 0 ? testMachine(machine.node, 'bare1') : machine,
    )
    const plan = planAll(spec, { ...world, machines })
    const config = plan.steps
      .flatMap((step) => step.actions)
      .find((action) => action.kind === 'write' && action.path.endsWith('config.yaml'))
    expect(config).toMatchObject({ content: expect.stringContaining('https://10.0.0.2:6443') })
    expect(plan.steps.some((step) => step.id === 'bare1/start')).toBe(true)
  })
})

it('resets every machine that has something, and no other', () => {
  const spec = testSpec(1, 2)
  const world = settled(spec, testWorld(spec))
  const machines = world.machines.map((machine, i) =>
    i === 2 ? testMachine(machine.node, 'bare3') : machine,
  )
  expect(outline(runtime.reset(spec, { ...world, machines }))).toEqual([
    'bare1/reset [script]',
    'bare2/reset [script]',
  ])
})

function never(): never {
  throw new Error('unreachable')
}
