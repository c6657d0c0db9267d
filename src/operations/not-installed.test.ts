import { describe, expect, it } from 'vitest'
import { testSpec } from '../runtime/k3s/world.fixture.js'
import { machines as bareMachines } from '../runtime/preflight/preflight.fixture.js'
import type { InstalledState, World } from '../runtime/runtime.js'
import { notInstalled } from './not-installed.js'
import type { OperationReport } from './report.js'
import { statusOf } from './status.js'
import { withUntouched } from './untouched.js'

const TOKEN = '/etc/rancher/k3s/token'
const spec = { ...testSpec(1, 1), name: 'prod' }

/** A master and a worker of the cluster that run and were ready, unless it is said otherwise. */
function world(worker: Partial<InstalledState>, master: Partial<InstalledState> = {}): World {
  const installed = { cluster: 'prod', active: true, initialized: true, apiReady: false }
  const nodes = [
    { name: 'bare1', role: 'master' as const, ready: true, version: '', address: '', message: '' },
  ]
  const found = bareMachines(spec).map((machine, i) => ({
    ...machine,
    id: `ssh://root@10.0.0.${i + 1}:22`,
    installed:
      i === 0
        ? { ...installed, role: 'master' as const, apiReady: true, nodes, ...master }
        : { ...installed, role: 'worker' as const, ...worker },
  }))
  return { machines: found, unreachable: [], secrets: new Map(), templates: {} }
}
const half = { active: false, initialized: false, lacks: [TOKEN] }
const problems = (found: World): [string, string, string][] =>
  statusOf(spec, found).problems.map(({ code, message, hint }) => [code, message, hint])
const out = `run the same airlift run command again, or the airlift add that named it; or take it out: airlift delete --name prod --through ${spec.masters[0]?.target.text} --nodes ${spec.nodes[0]?.target.text}`
const name = spec.nodes[0]?.target.text

describe('the status of a host on which k3s is there only in part', () => {
  it('says what is missing, and how both what made it and what removed it are finished', () => {
    expect(problems(world(half))).toEqual([
      ['not-installed', `k3s is only half installed on ${name}: ${TOKEN} is missing`, out],
    ])
  })

  it('tells of one that was ready once, and of one that runs on without what it needs to start', () => {
    expect(problems(world({ ...half, initialized: true }))[0]).toEqual([
      'service-down',
      `the service of ${name} cannot be started: ${TOKEN} is missing`,
      out,
    ])
    expect(problems(world({ ...half, initialized: true, active: true }))[0]?.slice(0, 2)).toEqual([
      'incomplete',
      `the service of ${name} would not start again: ${TOKEN} is missing`,
    ])
  })

  it('names no way out of a cluster that has no other master', () => {
    const [machine] = world({}).machines
    const alone = world({}, { ...half, apiReady: false })
    if (!machine) throw new Error('a master')
    const master = { ...machine, installed: { ...machine.installed, ...half, apiReady: false } }
    expect(notInstalled(spec, alone, master)?.hint).toBe('run the same airlift run command again')
  })

  it('calls a cluster stopped that can be started, and names the rest', () => {
    const stopped = { active: false, apiReady: false }
    expect(problems(world(half, stopped)).map(([code]) => code)).toEqual(['stopped', 'not-installed'])
    // Its run was cut off before it began.
    const begun = problems(world(half, { ...stopped, ...half }))
    expect(begun.map(([code]) => code)).toEqual(['api-down', 'not-installed', 'not-installed'])
    for (const [, , hint] of begun) expect(hint).toMatch(/^run the same airlift run command again/)
    expect(begun[0]?.[2]).toContain('airlift reset --name prod')
  })
})

describe('the report of a start', () => {
  const report = (found: World): OperationReport => ({
    operation: 'start',
    outcome: 'unchanged',
    name: 'prod',
    seconds: 1,
    bytesSent: 0,
    steps: { done: 0, skipped: 0, failed: 0 },
    machines: found.machines.map(({ id, name: node, node: { role } }) => {
      return { machine: id, node, role, outcome: 'unchanged', error: null }
    }),
  })

  it('names what it left alone, since it is half installed', () => {
    const found = world(half)
    const told = withUntouched('start', spec, found, report(found))
    expect(told.error).toMatchObject({ code: 'E_START', machine: name, hint: out })
    expect(told.report).toMatchObject({
      outcome: 'partial',
      machines: [{ outcome: 'unchanged' }, { outcome: 'failed', error: { code: 'E_START' } }],
    })
  })

  it('tells the same of one without k3s, which an add may have noted only', () => {
    const found = world({ ...half, role: undefined as never })
    const told = withUntouched('start', spec, found, report(found))
    expect(told.error).toMatchObject({ message: `k3s is not installed on ${name}`, hint: out })
    expect(told.report.machines[1]?.error?.hint).toBe(out)
  })

  it('says nothing of what runs', () => {
    for (const found of [world({}), world({ ...half, active: true, initialized: true })])
      expect(withUntouched('start', spec, found, report(found))).toEqual({ report: report(found) })
  })
})
