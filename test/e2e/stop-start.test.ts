import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { CliResult } from '../lab/lab.js'
import { LONG, lab, labMissing } from '../lab/lab.js'
import { killAt, type Scenario, startScenario } from './cluster.js'
import { cut, heal } from './hosts.js'

const KUBECTL = '/usr/local/bin/k3s kubectl'

describe.skipIf(labMissing())('stop and start on hosts', () => {
  let scene: Scenario
  const host = (index: number): string => scene.machines.hosts[index]?.name ?? ''
  const on = (index: number, script: string): Promise<string> =>
    lab('exec', host(index), '--', 'sh', '-c', script)
  const cli = (...args: string[]): Promise<CliResult> => scene.cli([...args, ...scene.where(3)])
  const json = (...args: string[]): Promise<CliResult> => cli(...args, '-o', 'json')
  const health = async (): Promise<unknown> =>
    ((await json('status')).json as { health?: string } | undefined)?.health
  const running = (index: number): Promise<string> =>
    on(index, "ls -l /proc/[0-9]*/exe 2>/dev/null | grep -c -- '-> /var/lib/rancher/k3s/data/' || true")

  beforeAll(async () => {
    scene = await startScenario('test-stop', 4, '--openrc', '1')
    // Three masters with systemd, a worker of each kind.
    const run = await scene.cli(['run', '--rootfs', scene.bundle, ...scene.where(3)])
    if (run.exitCode !== 0) throw new Error(run.stderr)
    await on(0, `${KUBECTL} create configmap kept --from-literal=written=before`)
  })
  afterAll(() => scene.end())

  it('plans both, and changes nothing', async () => {
    const plan = await json('plan', 'stop')
    expect(plan.json).toMatchObject({ operation: 'stop', summary: { change: 5 } })
    expect((await json('stop', '--dry-run')).json).toEqual(plan.json)
    expect((await json('plan', 'start')).json).toMatchObject({ operation: 'start', steps: [] })
    expect(await health()).toBe('ready')
  })

  it('ends k3s and its pods everywhere, says so, and keeps the services enabled', async () => {
    const stopped = await json('stop')
    expect(stopped.stderr).not.toContain('error:')
    expect(stopped.exitCode).toBe(0)
    expect(stopped.json).toMatchObject({
      operation: 'stop',
      outcome: 'done',
      machines: Array(5).fill({ outcome: 'changed', error: null }),
    })
    for (const index of [0, 1, 2, 3, 4]) expect(await running(index)).toBe('0')
    expect(await on(0, 'systemctl is-enabled k3s; systemctl is-active k3s; true')).toBe('enabled\ninactive')
    expect(await on(4, 'rc-update show default | grep -c k3s-agent')).toBe('1')
    const status = await json('status')
    expect(status.exitCode).toBe(1)
    expect(status.json).toMatchObject({
      health: 'down',
      problems: [{ code: 'stopped', hint: 'start it: airlift start --name default' }],
    })
    const again = await json('stop')
    expect([again.exitCode, again.json]).toMatchObject([0, { outcome: 'unchanged', steps: { done: 0 } }])
  })

  it('starts all of it again, with what was written before', async () => {
    const started = await json('start')
    expect(started.stderr).not.toContain('error:')
    expect(started.exitCode).toBe(0)
    expect(started.json).toMatchObject({ operation: 'start', outcome: 'done' })
    expect(await health()).toBe('ready')
    expect(await on(1, `${KUBECTL} get configmap kept -o jsonpath={.data.written}`)).toBe('before')
    const again = await json('start')
    expect([again.exitCode, again.json]).toMatchObject([0, { outcome: 'unchanged' }])
    const converged = await scene.cli(['run', '--rootfs', scene.bundle, ...scene.where(3), '-o', 'json'])
    expect(converged.json).toMatchObject({ outcome: 'unchanged' })
  })

  it('drains the workers when asked to, and gives back only those', async () => {
    const worker = (await on(3, 'hostname')).toLowerCase()
    const other = (await on(4, 'hostname')).toLowerCase()
    await on(0, `${KUBECTL} cordon ${other}`)
    const stopped = await json('stop', '--drain', '--timeout', '1m')
    expect(stopped.exitCode).toBe(0)
    expect((await json('start')).exitCode).toBe(0)
    const cordoned = (node: string): Promise<string> =>
      on(0, `${KUBECTL} get node ${node} -o jsonpath={.spec.unschedulable}`)
    expect(await cordoned(worker)).toBe('')
    expect(await cordoned(other)).toBe('true')
    await on(0, `${KUBECTL} uncordon ${other}`)
  })

  it('stops nothing when the pods of a worker do not leave', async () => {
    const worker = (await on(3, 'hostname')).toLowerCase()
    await on(
      0,
      `${KUBECTL} apply -f - <<'E'
{"apiVersion":"v1","kind":"Pod","metadata":{"name":"lonely","namespace":"default"},
 "spec":{"nodeName":"${worker}","containers":[{"name":"c","image":"docker.io/rancher/mirrored-pause:3.6"}]}}
E`,
    )
    const refused = await json('stop', '--drain', '--timeout', '10s')
    expect(refused.exitCode).toBe(4)
    expect(refused.json).toMatchObject({ outcome: 'failed', error: { code: 'E_DRAIN' } })
    expect(refused.stderr).toContain('lonely')
    await on(0, `${KUBECTL} delete pod lonely`)
    expect((await json('start')).exitCode).toBe(0)
    expect(await health()).toBe('ready')
  })

  it('names a machine that is away, and starts it when it is back', async () => {
    await cut(scene, 3)
    const stopped = await json('stop')
    expect(stopped.exitCode).toBe(3)
    expect(stopped.json).toMatchObject({ outcome: 'partial', error: { code: 'E_PARTIAL' } })
    expect(stopped.stdout).toContain(scene.machines.hosts[3]?.ip)
    const started = await json('start')
    expect(started.exitCode).toBe(3)
    await heal(scene, 3)
    expect((await json('start')).exitCode).toBe(0)
    expect(await health()).toBe('ready')
  })

  it('refuses to start a minority of the masters', async () => {
    expect((await json('stop')).exitCode).toBe(0)
    await cut(scene, 1, 2)
    const refused = await json('start')
    expect(refused.exitCode).toBe(5)
    expect(refused.json).toMatchObject({
      error: { code: 'E_REFUSED', message: '1 of 3 masters can be started, and etcd needs 2 to start' },
    })
    await heal(scene, 1, 2)
    expect((await json('start')).exitCode).toBe(0)
  })

  it('goes on where a killed one stopped', { timeout: LONG }, async () => {
    for (const [verb, n] of [
      ['stop', 2],
      ['start', 2],
      ['start', 5],
    ] as const) {
      await killAt([verb, ...scene.where(3)], scene.home, 'step.start', n)
      const again = await json(verb)
      expect([verb, n, again.exitCode], again.stdout + again.stderr).toEqual([verb, n, 0])
      if (verb === 'stop') for (const index of [0, 1, 2, 3, 4]) expect(await running(index)).toBe('0')
      else {
        // Members of etcd may change their leader a moment longer on a busy machine.
        await expect.poll(health, { timeout: 60_000 }).toBe('ready')
        expect(await on(2, `${KUBECTL} get configmap kept -o jsonpath={.data.written}`)).toBe('before')
        expect((await json('stop')).exitCode).toBe(0)
      }
    }
    expect((await json('start')).exitCode).toBe(0)
  })

  it('has a host that boots start its part again', { timeout: LONG }, async () => {
    expect((await json('stop')).exitCode).toBe(0)
    await lab('reboot', host(3))
    await expect
      .poll(() => on(3, 'systemctl is-active k3s-agent || true'), { timeout: 30_000 })
      .toMatch(/^activ/)
    expect((await json('start')).exitCode).toBe(0)
    expect(await health()).toBe('ready')
  })
})
