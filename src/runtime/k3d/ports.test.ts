import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { LABELS, recordOfLabels } from '../../cluster/container-labels.js'
import type { PortSpec } from '../../cluster/container-spec.js'
import type { ClusterSpec } from '../../cluster/spec.js'
import { isAirliftError } from '../../core/errors.js'
import type { EngineContainer } from '../../machine/docker/engine.js'
import type { Plan } from '../../plan/plan.js'
import type { EngineWorld, World } from '../runtime.js'
import { planInit } from './init.js'
import { layoutOf } from './layout.js'
import { forgetTargets } from './lb-steps.js'
import { lbTargets } from './node-files.js'
import {
  add,
  bound,
  carriedOut,
  cluster,
  configOf,
  created,
  fileOf,
  IMAGE,
  outline,
  planAll,
  port,
  remove,
  worldOf,
} from './ports.fixture.js'
import { planPorts, planPortsUndo } from './ports.js'
import { planStart } from './start.js'
import { planStop } from './stop.js'
import { testContainers } from './world.fixture.js'

describe('ports of a cluster with a load balancer', () => {
  const before = cluster(3, 2, [port(8080, 80)])

  it('replaces only that, with the same address, its other ports and the API', async () => {
    const plan = planPorts(before.spec, before.world, add('9090:90@workers:*', '91/udp'))
    expect(outline(plan)).toEqual([
      'master-0/guard: script',
      'lb-next/create: create lb-next after master-0/guard',
      'lb-next/replace: stop lb, start lb-next, wait after lb-next/create',
      'master-0/balancer: write after lb-next/replace',
      'master-1/balancer: write after lb-next/replace',
      'master-2/balancer: write after lb-next/replace',
      'lb-next/finish: remove lb, rename lb-next to lb after lb-next/replace, master-0/balancer, master-1/balancer, master-2/balancer',
    ])
    const config = configOf(plan)
    expect(config.address).toBe('10.118.0.2')
    expect(bound(config)).toEqual([
      '127.0.0.1:40001:6443/tcp',
      '127.0.0.1:8080:80/tcp',
      '127.0.0.1:9090:90/tcp',
      '127.0.0.1:50001:91/udp',
    ])
    expect(fileOf(plan)).toBe(
      [
        '6443 api 10.118.0.3 10.118.0.4 10.118.0.5',
        '80 tcp 10.118.0.3 10.118.0.4 10.118.0.5 10.118.0.6 10.118.0.7',
        '90 tcp 10.118.0.6 10.118.0.7',
        '91 udp 10.118.0.3 10.118.0.4 10.118.0.5 10.118.0.6 10.118.0.7',
        '',
      ].join('\n'),
    )
    await expect(JSON.stringify(plan, null, 2)).toMatchFileSnapshot('golden/ports-add.json')
  })

  it('remembers what the cluster was made with, also after several changes', () => {
    const first = planPorts(before.spec, before.world, add('9090:90'))
    const then = carriedOut(first, before.containers)
    const second = planPorts(before.spec, worldOf(before.spec, then), remove('8080:80'))
    const record = recordOfLabels(configOf(second).labels)
    expect(record?.asked?.map((one) => one.hostPort)).toEqual([8080])
    expect(record?.ports.map((one) => one.hostPort)).toEqual([9090])
  })

  it('does nothing where all is as it is asked for', () => {
    expect(planPorts(before.spec, before.world, add('8080:80', '80')).steps).toEqual([])
  })

  it('keeps the load balancer where the last port is removed: it has the API', () => {
    const plan = planPorts(before.spec, before.world, remove('8080:80'))
    expect(bound(configOf(plan))).toEqual(['127.0.0.1:40001:6443/tcp'])
  })
})

describe('ports of a cluster without one', () => {
  const before = cluster(1, 2, [port(8080, 80)])
  const plan = planPorts(before.spec, before.world, add('9090:90@workers:*'))
  const then = carriedOut(plan, before.containers)

  it('makes one for these ports alone, and leaves the API where it is', () => {
    expect(outline(plan)).toEqual([
      'master-0/guard: script',
      'lb-next/create: create lb-next after master-0/guard',
      'lb-next/replace: start lb-next, wait after lb-next/create',
      'master-0/balancer: write after lb-next/replace',
      'lb-next/finish: rename lb-next to lb after lb-next/replace, master-0/balancer',
    ])
    expect(bound(configOf(plan))).toEqual(['127.0.0.1:9090:90/tcp'])
    expect(configOf(plan).address).toBe('10.118.0.2')
    expect(fileOf(plan)).toBe('90 tcp 10.118.0.4 10.118.0.5\n')
  })

  it('removes it with the last of them, and says what a node publishes itself', () => {
    const world = worldOf(before.spec, then)
    expect(outline(planPorts(before.spec, world, remove('9090:90')))).toEqual([
      'master-0/guard: script',
      'master-0/balancer: write after master-0/guard',
      'lb/remove: remove lb after master-0/guard, master-0/balancer',
    ])
    expect(() => planPorts(before.spec, world, remove('8080:80'))).toThrow(
      '8080:80 is published by airlift-dev-master-0 itself',
    )
  })

  it('gives it the targets of nodes that are added', () => {
    const spec = testContainers(1, 3, { image: IMAGE, ports: [port(8080, 80)] })
    const world = worldOf(spec, then)
    const engine = { ...world.engine, lbTargets: '90 tcp 10.118.0.4 10.118.0.5\n' } as EngineWorld
    const steps = planAll(spec, { ...world, engine }).steps
    const targets = steps.find((step) => step.id === 'airlift-dev-lb/targets')
    expect(targets?.actions[0]).toMatchObject({ content: '90 tcp 10.118.0.4 10.118.0.5 10.118.0.6\n' })
    // Nobody joins through it.
    expect(steps.find((step) => step.id === 'airlift-dev-worker-2/start')?.needs).not.toContain(
      'airlift-dev-lb/targets',
    )
  })
})

describe('a load balancer that somebody removed', () => {
  const before = cluster(3, 0, [port(8080, 80)])
  const change = planPorts(before.spec, before.world, add('9090:90'))
  const then = carriedOut(change, before.containers)
  const noted = change.steps
    .flatMap(({ actions }) => actions)
    .flatMap((action) => (action.kind === 'write' ? [action.content] : []))
  const record = recordOfLabels({ [LABELS.spec]: noted[0] ?? '' })
  const without = worldOf(
    before.spec,
    then.filter(({ name }) => name !== 'airlift-dev-lb'),
  )
  const engine = { ...without.engine, remembered: { generation: 1, record } } as EngineWorld
  const world = { ...without, engine }

  it('is made again by a start, with all ports and the API where it was', () => {
    const plan = planStart(before.spec, world)
    const ids = plan.steps.map(({ id }) => id).filter((id) => id.includes('-lb/'))
    expect(ids).toEqual(['airlift-dev-lb/create', 'airlift-dev-lb/start'])
    const config = configOf(plan)
    const last = configOf(change)
    expect(bound(config)).toEqual(bound(last))
    expect(bound(config)).toContain('127.0.0.1:40001:6443/tcp')
    expect(config.address).toBe(last.address)
    expect(recordOfLabels(config.labels)).toEqual(recordOfLabels(last.labels))
    expect(fileOf(plan)).toBe(fileOf(change))
  })

  it('is made again by a run with the flags of the beginning, too, and other flags are refused', () => {
    const [made, none] = created(planInit(before.spec, world))
    expect([bound(made?.config ?? configOf(change)), none]).toEqual([bound(configOf(change)), undefined])
    const other = testContainers(3, 0, { image: IMAGE, ports: [port(7070, 80)] })
    expect(() => planInit(other, world)).toThrow('--port is not what airlift-dev-lb was made with')
    const api = { address: '127.0.0.1', port: 6551 }
    const moved = testContainers(3, 0, { image: IMAGE, ports: [port(8080, 80)], api })
    expect(() => planInit(moved, world)).toThrow('--api-port is not what')
  })

  it('takes no change of ports, and loses none', () => {
    const remedy = { code: 'E_REFUSED', hint: expect.stringContaining('airlift start --name dev') }
    for (const asked of [add('9500:80'), remove('8080:80')])
      expect(() => planPorts(before.spec, world, asked)).toThrow(expect.objectContaining(remedy))
  })

  it('is left to run where no master remembers it, or not all of it', () => {
    const refusal = (lost: World): unknown => {
      try {
        return planStart(before.spec, lost)
      } catch (error) {
        return error
      }
    }
    const remedy = { code: 'E_REFUSED', hint: expect.stringContaining('the same airlift run command') }
    expect(refusal(without)).toMatchObject(remedy)
    const remembered = { generation: 1, record: { ...record, env: ['KEY'] } }
    const lost = { ...without, engine: { ...without.engine, remembered } as EngineWorld }
    expect(refusal(lost)).toMatchObject({ ...remedy, message: expect.stringContaining('--env KEY') })
  })
})

describe('nodes that leave', () => {
  const before = cluster(1, 2)
  const plan = planPorts(before.spec, before.world, add('9090:90@workers:*', '91', '92@workers:1'))
  const world = worldOf(before.spec, carriedOut(plan, before.containers))
  const targets = fileOf(plan) ?? ''
  const engine = { ...world.engine, lbTargets: targets } as EngineWorld

  it('are taken off the list, which is then what a run would write', () => {
    const [step, none] = forgetTargets(before.spec, { ...world, engine }, before.spec.nodes.slice(1))
    expect(none).toBeUndefined()
    const [action] = step?.actions ?? []
    if (action?.kind !== 'script') throw new Error('a script')
    const dir = mkdtempSync(join(tmpdir(), 'airlift-ports-'))
    try {
      writeFileSync(join(dir, 'lb'), targets)
      execFileSync('sh', ['-c', action.script.replaceAll('/etc/airlift/lb', join(dir, 'lb'))])
      const left = readFileSync(join(dir, 'lb'), 'utf8')
      expect(left).toBe('90 tcp 10.118.0.4\n91 tcp 10.118.0.3 10.118.0.4\n')
      const spec = { ...before.spec, nodes: before.spec.nodes.slice(0, 1) }
      expect(lbTargets(spec, layoutOf(spec, world), 'airlift-dev-lb')).toBe(left)
    } finally {
      rmSync(dir, { recursive: true })
    }
  })

  it('are left alone where the list does not have them', () => {
    const other = { ...engine, lbTargets: '91 tcp 10.118.0.50\n' }
    expect(forgetTargets(before.spec, { ...world, engine: other }, before.spec.nodes)).toEqual([])
    expect(forgetTargets(before.spec, before.world, before.spec.nodes)).toEqual([])
  })
})

describe('run again after a change', () => {
  const wanted = (spec: ClusterSpec, ports: readonly PortSpec[]): ClusterSpec => ({
    ...spec,
    ...(spec.containers ? { containers: { ...spec.containers, ports } } : {}),
  })
  const changes = (spec: ClusterSpec, containers: readonly EngineContainer[], targets: string): string[] => {
    const world = worldOf(spec, containers)
    const engine = { ...world.engine, lbTargets: targets } as EngineWorld
    return outline(planInit(spec, { ...world, engine })).filter((line) => /^lb/.test(line))
  }

  it.each([[1], [3]])('with the first flags or all of now, of %i masters, is right', (masters) => {
    const before = cluster(masters, 1, [port(8080, 80)])
    const plan = planPorts(before.spec, before.world, add('9090:90'))
    const then = carriedOut(plan, before.containers)
    const targets = fileOf(plan) ?? ''
    expect(changes(before.spec, then, targets)).toEqual([])
    expect(changes(wanted(before.spec, [port(8080, 80), port(9090, 90)]), then, targets)).toEqual([])
    expect(changes(wanted(before.spec, [port(8080, 80), port(0, 90)]), then, targets)).toEqual([])
    for (const ports of [[], [port(9090, 90)], [port(8080, 80), port(9091, 91)]])
      expect(() => changes(wanted(before.spec, ports), then, targets)).toThrow('--port is not what')
  })
})

describe('a change that is killed', () => {
  it.each([
    [1, 1],
    [3, 1],
  ])('at any moment, of %i masters, is taken back or ended by the next command', (masters, workers) => {
    const before = cluster(masters, workers, [port(8080, 80)])
    const plan = planPorts(before.spec, before.world, add('9090:90'))
    const total = plan.steps.flatMap((step) => step.actions).length
    const served = new Set<string>()
    for (let count = 0; count <= total; count++) {
      const killed = carriedOut(plan, before.containers, count)
      const start = planStart(before.spec, worldOf(before.spec, killed))
      const started = carriedOut(start, killed)
      const balancers = started.filter((one) => one.labels[LABELS.role] === 'lb')
      expect(balancers.every((one) => one.name === 'airlift-dev-lb' && one.state === 'running')).toBe(true)
      expect(balancers.length).toBeLessThanOrEqual(1)
      if (masters > 1) expect(balancers).toHaveLength(1)
      served.add((balancers[0]?.ports ?? []).map((one) => one.hostPort).join())
      // So does the same command, which then brings it about.
      const again = planPorts(before.spec, worldOf(before.spec, started), add('9090:90'))
      const names = carriedOut(again, started).filter((one) =>
        one.ports.some((entry) => entry.hostPort === 9090),
      )
      expect(names.map((one) => one.name)).toEqual(['airlift-dev-lb'])
      const stopped = carriedOut(
        planStop(before.spec, worldOf(before.spec, killed), { drain: false }),
        killed,
      )
      expect(stopped.filter((one) => one.state === 'running')).toEqual([])
    }
    expect([...served]).toEqual(masters > 1 ? ['40001,8080', '40001,8080,9090'] : ['', '9090'])
  })

  it.each([
    [1, 1],
    [3, 1],
  ])('or that fails is taken back, of %i masters', (masters, workers) => {
    const before = cluster(masters, workers, [port(8080, 80)])
    const plan = planPorts(before.spec, before.world, add('9090:90'))
    const actions = plan.steps.flatMap((step) => step.actions)
    const starts = actions.findIndex((action) => action.kind === 'container' && action.op === 'start')
    for (let count = 0; count <= starts + 1; count++) {
      const broken = carriedOut(plan, before.containers, count)
      const undo = planPortsUndo(before.spec, worldOf(before.spec, broken), before.world)
      const shape = (list: readonly EngineContainer[]) => list.map((one) => `${one.name} ${one.state}`).sort()
      expect(shape(carriedOut(undo, broken))).toEqual(shape(before.containers))
    }
  })
})

describe('refuses', () => {
  const code = (plan: () => Plan): string => {
    try {
      plan()
    } catch (error) {
      if (isAirliftError(error)) return `${error.code} ${error.exit} ${error.hint}`
    }
    return 'nothing'
  }

  it('a cluster that is stopped', () => {
    const { spec, containers } = cluster(3, 0)
    const stopped = worldOf(
      spec,
      containers.map((one) => ({ ...one, state: 'exited' as const })),
    )
    expect(code(() => planPorts(spec, stopped, add('8080:80')))).toBe(
      'E_REFUSED 5 start it first: airlift start --name dev',
    )
  })

  it('an engine that has no image for it any more', () => {
    const { spec, world } = cluster(1, 0)
    const engine = { ...world.engine, images: new Map() } as unknown as EngineWorld
    expect(code(() => planPorts(spec, { ...world, engine }, add('8080:80')))).toContain('E_IMAGE_MISSING 5')
  })
})
