import { spawn, spawnSync } from 'node:child_process'
import { describe, expect, it } from 'vitest'
import { AirliftError } from '../../core/errors.js'
import { compileActions } from '../../plan/compile.js'
import type { Plan } from '../../plan/plan.js'
import type { World } from '../runtime.js'
import { createK3sRuntime } from './runtime.js'
import { STARTED, waitFreshNode } from './start-waits.js'
import { cluster } from './stopped.fixture.js'
import { testSpec } from './world.fixture.js'

const runtime = createK3sRuntime()
const outline = (plan: Plan): string[] =>
  plan.steps.map(
    (step) =>
      `${step.id} on ${step.machine.slice(11, -3)} [${step.actions.map((action) => action.kind).join(' ')}]${step.needs.length ? ` after ${step.needs.join(', ')}` : ''}`,
  )

/** The world without the machines whose index the predicate names: they do not answer. */
function without(world: World, lost: (index: number) => boolean): World {
  const gone = world.machines.filter((_, i) => lost(i))
  return {
    ...world,
    machines: world.machines.filter((_, i) => !lost(i)),
    unreachable: gone.map(({ node, id, name }) => ({
      node,
      id,
      error: new AirliftError('E_SSH_UNREACHABLE', `${name} does not answer`),
    })),
  }
}

describe('stop', () => {
  it('ends all machines at the same time', async () => {
    const spec = testSpec(3, 2)
    const plan = runtime.stop(spec, cluster(spec, true), { drain: false })
    expect(outline(plan)).toEqual(
      [1, 2, 3, 4, 5].map((i) => `bare${i}/stop on 10.0.0.${i} [script script script script]`),
    )
    expect(plan.summary).toEqual({ create: 0, change: 5, remove: 0 })
    await expect(
      JSON.stringify(runtime.stop(testSpec(1, 1), cluster(testSpec(1, 1), true), { drain: true }), null, 2),
    ).toMatchFileSnapshot('golden/stop-drain.json')
  })

  it('does nothing to a cluster that is stopped', () => {
    const spec = testSpec(3, 1)
    expect(runtime.stop(spec, cluster(spec, false), { drain: false }).steps).toEqual([])
    expect(runtime.stop(spec, cluster(spec, false), { drain: true }).steps).toEqual([])
  })

  it('ends pods whose service somebody stopped by hand', () => {
    const spec = testSpec(1, 1)
    const world = cluster(spec, false, (i) => (i === 1 ? { fragments: { 'k3s-pods': 'running\n' } } : {}))
    expect(runtime.stop(spec, world, { drain: false }).steps.map((step) => step.id)).toEqual(['bare2/stop'])
  })

  it('drains the workers on a master, all at once, and stops nothing before', () => {
    const spec = testSpec(1, 2)
    expect(outline(runtime.stop(spec, cluster(spec, true), { drain: true }))).toEqual([
      'bare2/drain on 10.0.0.1 [script script]',
      'bare3/drain on 10.0.0.1 [script script]',
      'bare1/stop on 10.0.0.1 [script script script script] after bare2/drain, bare3/drain',
      'bare2/stop on 10.0.0.2 [script script script script] after bare2/drain, bare3/drain',
      'bare3/stop on 10.0.0.3 [script script script script] after bare2/drain, bare3/drain',
    ])
  })

  it('refuses to drain where no master answers', () => {
    const spec = testSpec(1, 1)
    const world = cluster(spec, true, () => ({ installed: { apiReady: false } }))
    expect(() => runtime.stop(spec, world, { drain: true })).toThrow(
      expect.objectContaining({ code: 'E_REFUSED', hint: 'stop without --drain' }),
    )
  })

  it('leaves alone what is of another cluster, or of none', () => {
    const spec = testSpec(1, 2)
    const world = cluster(spec, true, (i) =>
      i === 1
        ? { installed: { cluster: 'other' } }
        : i === 2
          ? { installed: { role: undefined as never } }
          : {},
    )
    expect(runtime.stop(spec, world, { drain: false }).steps.map((step) => step.id)).toEqual(['bare1/stop'])
  })
})

describe('start', () => {
  it('starts all masters together, then the workers, and waits for each', async () => {
    const spec = testSpec(3, 1)
    const plan = runtime.start(spec, cluster(spec, false))
    expect(outline(plan)).toEqual([
      'bare1/start on 10.0.0.1 [script service wait]',
      'bare1/ready on 10.0.0.1 [wait wait wait remove] after bare1/start',
      'bare2/start on 10.0.0.2 [script service]',
      'bare2/ready on 10.0.0.2 [wait wait wait remove] after bare2/start',
      'bare3/start on 10.0.0.3 [script service]',
      'bare3/ready on 10.0.0.3 [wait wait wait remove] after bare3/start',
      'bare4/start on 10.0.0.4 [script service] after bare1/start',
      'bare4/ready on 10.0.0.4 [wait remove] after bare4/start',
      'cluster/uncordon on 10.0.0.1 [script] after bare1/ready',
    ])
    await expect(
      JSON.stringify(runtime.start(testSpec(1, 1), cluster(testSpec(1, 1), false)), null, 2),
    ).toMatchFileSnapshot('golden/start.json')
  })

  it.each([
    ['none', ['bare1/start [script service wait]'.replace('script ', ''), 'bare2/start [service]']],
    [
      'api',
      [
        'bare1/start [service wait]',
        'bare1/ready [wait]',
        'bare2/start [service]',
        'cluster/uncordon [script]',
      ],
    ],
    [
      'system',
      [
        'bare1/start [script service wait]',
        'bare1/ready [wait wait remove]',
        'bare2/start [script service]',
        'bare2/ready [wait remove]',
        'cluster/uncordon [script]',
        'cluster/system [wait]',
      ],
    ],
  ] as const)('waits as --wait %s says', (wait, steps) => {
    const spec = testSpec(1, 1, { wait })
    const found = runtime
      .start(spec, cluster(spec, false))
      .steps.map((step) => `${step.id} [${step.actions.map((action) => action.kind).join(' ')}]`)
    expect(found).toEqual(steps)
  })

  it.each(['none', 'api', 'nodes', 'system'] as const)(
    'does nothing to a cluster that runs (--wait %s)',
    (wait) => {
      const spec = testSpec(3, 1, { wait })
      expect(runtime.start(spec, cluster(spec, true)).steps).toEqual([])
    },
  )

  it('goes on waiting where an earlier start was cut off, though the cluster remembers a Ready node', () => {
    const spec = testSpec(1, 1)
    const world = cluster(spec, true, (i) =>
      i === 1 ? { fragments: { 'k3s-starting': '2026-01-01T00:00:00Z' } } : {},
    )
    expect(outline(runtime.start(spec, world))).toEqual(['bare2/ready on 10.0.0.2 [wait remove]'])
  })

  it('lets workers follow masters that an earlier start began, and that are not ready yet', () => {
    const spec = testSpec(3, 1)
    const world = cluster(spec, true, (i) => ({ installed: i < 3 ? { apiReady: false } : { active: false } }))
    const steps = new Map(runtime.start(spec, world).steps.map((step) => [step.id, step]))
    expect(steps.get('bare4/start')?.needs).toEqual(['bare1/start'])
    expect(steps.get('bare1/start')).toMatchObject({
      title: 'wait for k3s',
      actions: [{ kind: 'wait', what: 'the master to take nodes in' }],
    })
    for (const step of steps.values()) for (const id of step.needs) expect(steps.has(id), id).toBe(true)
    // Nobody follows where no worker is stopped.
    const masters = cluster(spec, true, (i) => (i < 3 ? { installed: { apiReady: false } } : {}))
    const ids = runtime.start(spec, masters).steps.map(({ id }) => id)
    expect(ids.filter((id) => id.endsWith('/start'))).toEqual([])
  })

  it('uncordons what a stop drained, also when all services run', () => {
    const spec = testSpec(1, 1)
    const world = cluster(spec, true, (i) => (i === 1 ? { node: { drained: true } } : {}))
    const plan = runtime.start(spec, world)
    expect(outline(plan)).toEqual(['cluster/uncordon on 10.0.0.1 [script]'])
    expect(plan.summary.change).toBe(1)
  })

  it('starts the others while the minority of the masters is away', () => {
    const spec = testSpec(3, 1)
    const world = without(cluster(spec, false), (i) => i === 0)
    expect(runtime.start(spec, world).steps.map((step) => step.id)).toContain('bare2/start')
    expect(runtime.start(spec, world).steps.find((step) => step.id === 'bare4/start')?.needs).toEqual([
      'bare2/start',
    ])
  })

  it('refuses to start a minority, which would wait for ever', () => {
    const spec = testSpec(3, 1)
    const world = without(cluster(spec, false), (i) => i === 0 || i === 2)
    expect(() => runtime.start(spec, world)).toThrow(
      expect.objectContaining({
        code: 'E_REFUSED',
        exit: 5,
        message: '1 of 3 masters can be started, and etcd needs 2 to start',
        log: ['root@10.0.0.1: root@10.0.0.1 does not answer', 'root@10.0.0.3: root@10.0.0.3 does not answer'],
      }),
    )
  })

  it('starts a worker alone where its master runs', () => {
    const spec = testSpec(1, 1)
    const world = cluster(spec, true, (i) => (i === 1 ? { installed: { active: false } } : {}))
    expect(outline(runtime.start(spec, world))).toEqual([
      'bare2/start on 10.0.0.2 [script service]',
      'bare2/ready on 10.0.0.2 [wait remove] after bare2/start',
    ])
  })
})

describe('what is run on machines', () => {
  const sh = (script: string): { status: number | null; out: string } => {
    const { status, stdout, stderr } = spawnSync('sh', ['-s'], { input: script, encoding: 'utf8' })
    return { status, out: stdout + stderr }
  }

  it('tells when this process space began, as ISO time', () => {
    const { out } = sh(STARTED.container)
    const age = Date.now() - Date.parse(out.trim())
    expect(age).toBeGreaterThan(0)
    expect(out.trim()).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/)
  })

  const node = (ready: string, beat: string, first = ''): string =>
    JSON.stringify({
      status: {
        conditions: [
          { type: 'DiskPressure', status: 'True', lastHeartbeatTime: beat },
          { type: 'Ready', status: ready, lastHeartbeatTime: beat, message: first },
        ],
      },
    })
  it.each([
    [node('True', '2026-01-02T03:04:05Z'), 0],
    [node('True', '2026-01-02T03:04:05Z', 'said {so}'), 0],
    [node('True', '2026-01-02T03:04:04Z'), 1],
    [node('False', '2026-01-02T03:04:09Z'), 1],
    ['', 1],
  ])('takes a node for fresh by what it says: %s', (said, exit) => {
    const wait = waitFreshNode({
      node: 'bare2',
      role: 'worker',
      started: 'echo 2026-01-02T03:04:05Z',
      timeoutMs: 1000,
    })
    // Here a function answers for the API.
    const script = wait.script.replace(/^api\(\) \{[\s\S]*?^\}$/m, `api() { printf %s '${said}'; }`)
    expect(sh(`n=1\n${script}`).status).toBe(exit)
  })

  it('waits only for programs that listen to SIGTERM', () => {
    const [action] =
      runtime
        .stop(testSpec(1, 0), cluster(testSpec(1, 0), true), { drain: false })
        .steps[0]?.actions.slice(1, 2) ?? []
    const text = action?.kind === 'script' ? action.script : ''
    const listens = text.split('\n').find((line) => line.startsWith('listens()')) ?? ''
    const deaf = spawn('sleep', ['30'])
    const hears = spawn('sh', ['-c', 'trap : TERM; echo; sleep 30 & wait'], { stdio: 'pipe' })
    return new Promise<void>((done, fail) => {
      hears.stdout.once('data', () => {
        try {
          expect(sh(`${listens}\nlistens ${deaf.pid}`).status).not.toBe(0)
          expect(sh(`${listens}\nlistens ${hears.pid}`).status).toBe(0)
          done()
        } catch (error) {
          fail(error as Error)
        } finally {
          deaf.kill('SIGKILL')
          hears.kill('SIGKILL')
        }
      })
    })
  })

  it('is shell that every sh can read', () => {
    const plans = [
      runtime.stop(testSpec(1, 1), cluster(testSpec(1, 1), true), { drain: true }),
      runtime.start(testSpec(3, 1, { wait: 'system' }), cluster(testSpec(3, 1), false)),
    ]
    for (const step of plans.flatMap((plan) => plan.steps)) {
      const script = compileActions(step.actions, new Map())
      for (const shell of ['sh', 'bash']) expect(spawnSync(shell, ['-n'], { input: script }).status).toBe(0)
    }
  })
})
