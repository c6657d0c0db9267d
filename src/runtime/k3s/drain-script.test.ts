import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { Action } from '../../plan/plan.js'
import { drainScript } from './drain-script.js'
import { drainSteps } from './drain-steps.js'
import { runWith } from './run-with.fixture.js'
import { testMachine, testSpec, testWorld } from './world.fixture.js'

const advice = { budget: 'change the budget', bare: 'move them', late: 'wait longer' }
const drain = (force = false): Action => ({
  kind: 'script',
  script: drainScript('bare5', { timeoutMs: 5000, otherwise: force ? 'force' : advice, alive: true }),
})

/** What kubectl 1.33 writes. */
const BUDGET = `node/bare5 already cordoned
evicting pod default/web-6c9
error when evicting pods/"web-6c9" -n "default" (will retry after 5s): Cannot evict pod as it would violate the pod's disruption budget.
There are pending nodes to be drained:
 bare5
error when evicting pods/"web-6c9" -n "default": global timeout reached: 5s`
const BARE = `node/bare5 already cordoned
error: unable to drain node "bare5" due to error: cannot delete cannot delete Pods that declare no controller (use --force to override): default/lonely, default/other, continuing command...
There are pending nodes to be drained:
 bare5
cannot delete cannot delete Pods that declare no controller (use --force to override): default/lonely, default/other`

const failing = (text: string): string =>
  `case "$*" in 'get node'*) echo node/bare5 ;; *--disable-eviction*) exit 0 ;; drain*) cat >&2 <<'END'\n${text}\nEND\nexit 1 ;; esac`

describe('a drain', () => {
  it('that a PodDisruptionBudget forbids names the pods and what may be done', () => {
    const { exit, out } = runWith([drain()], failing(BUDGET))
    expect(exit).toBe(1)
    expect(out).toContain(
      '@@fail E_DRAIN node bare5 is not drained after 5s: a PodDisruptionBudget forbids evicting default/web-6c9',
    )
    expect(out).toContain('@@hint change the budget')
    expect(out).toContain('@@log evicting pod default/web-6c9')
  })

  it('that would lose pods without a controller names them', () => {
    const { exit, out } = runWith([drain()], failing(BARE))
    expect(exit).toBe(1)
    expect(out).toMatch(/@@fail E_DRAIN .*without a controller.*: default\/lonely, default\/other$/m)
    expect(out).toContain('@@hint move them')
  })

  it('that fails otherwise ends with what kubectl said last', () => {
    const { out } = runWith([drain()], failing('error: the server is on fire'))
    expect(out).toMatch(/@@fail E_DRAIN node bare5 is not drained after 5s: error: the server is on fire/)
    expect(out).toContain('@@hint wait longer')
  })

  it('goes on with force, and says so', () => {
    const { exit, out } = runWith([drain(true)], failing(BUDGET))
    expect(exit).toBe(0)
    expect(out).toMatch(/@@note node bare5: its pods did not leave within 5s and are deleted/)
  })

  it('of a node that is gone is done, and of one that cannot be asked for is not', () => {
    expect(runWith([drain()], 'exit 0')).toMatchObject({ exit: 0 })
    const { exit, out } = runWith([drain()], 'exit 1')
    expect(exit).toBe(1)
    expect(out).toContain('@@fail E_COMMAND the API server did not answer')
  })
})

describe('a drain before a stop', () => {
  const spec = testSpec(1, 1)
  const world = (ready: boolean) => {
    const nodes = [
      {
        name: 'bare5',
        role: 'worker' as const,
        ready,
        version: 'v1.33.1+k3s1',
        address: '10.0.0.5',
        message: '',
      },
    ]
    const machines = spec.masters.map((node) => testMachine(node, 'bare1', {}, { apiReady: true, nodes }))
    return testWorld(spec, { machines })
  }
  const steps = (ready = true) =>
    drainSteps(
      world(ready),
      [
        { node: 'bare5', machine: 'ssh://bare5' },
        { node: 'unknown', machine: 'ssh://unknown' },
      ],
      5000,
    )
  /** Runs the steps and gives kubectl's calls that change something, in order. */
  const run = (k3s: string) => {
    const log = join(mkdtempSync(join(tmpdir(), 'airlift-drain-')), 'calls')
    const ran = runWith(
      steps().flatMap((step) => step.actions),
      `case "$*" in label*|cordon*|drain*) echo $1 $2 $3 $4 >> ${log} ;; esac\n${k3s}`,
    )
    const calls = readFileSync(log, 'utf8').trim().split('\n')
    rmSync(dirname(log), { recursive: true })
    return { ...ran, calls }
  }

  it('is one step for each worker that the cluster knows, on a master', () => {
    expect(steps().map(({ id, machine, subject }) => [id, machine, subject])).toEqual([
      ['bare5/drain', world(true).machines[0]?.id, 'ssh://bare5'],
    ])
  })

  it('marks the node for the next start before it cordons it, and leaves one that the user cordoned unmarked', () => {
    const done = 'drain bare5 --ignore-daemonsets --delete-emptydir-data'
    const label = 'label node bare5 airlift/cordoned=stop'
    expect(run(`case "$*" in *' -o name '*) echo node/bare5 ;; esac`)).toMatchObject({
      exit: 0,
      calls: [label, 'cordon bare5', done],
    })
    expect(
      run(`case "$*" in *unschedulable*) printf true ;; 'get node'*) echo node/bare5 ;; esac`),
    ).toMatchObject({
      exit: 0,
      calls: [done],
    })
  })

  it('says what keeps the pods, and that nothing was stopped', () => {
    for (const [text, words] of [
      [BUDGET, 'change the budget'],
      [BARE, 'move or delete them'],
      ['error: the server is on fire', 'wait longer with --timeout'],
    ] as const) {
      const { exit, out } = run(failing(text))
      expect(exit).toBe(1)
      expect(out).toMatch(new RegExp(`@@hint nothing was stopped; .*${words}.*stop without --drain`))
    }
  })

  it('waits for no confirmation of a node that does not report', () => {
    const script = (ready: boolean) => JSON.stringify(steps(ready))
    expect(script(true)).not.toContain('--skip-wait-for-delete-timeout')
    expect(script(false)).toContain('--skip-wait-for-delete-timeout')
  })
})
