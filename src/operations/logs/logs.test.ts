import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { expect, it } from 'vitest'
import { packEntries } from '../../rootfs/tar/pack-entries.js'
import { readTail } from '../../rootfs/tar/read-tail.js'
import { testContainers } from '../../runtime/k3d/world.fixture.js'
import { containerHome, tinyRootfs } from '../containers.fixture.js'
import { run } from '../run.js'
import { logs } from './logs.js'

const home = containerHome()
const file = (path: string, content: string) => ({ path, mode: '0600', content })
const pack = (files: readonly ReturnType<typeof file>[]): Buffer => packEntries(files, (text) => text)

it('names containers that are stopped or gone, and collects the files of those that are there', async () => {
  const spec = testContainers(3, 2)
  const own = home.lab()
  const made = await run({ spec, rootfs: tinyRootfs(), kubeconfig: 'none' }, own.ctx, own.deps)
  expect(made.error).toBeUndefined()
  const { engine } = own
  const token =
    engine.files('airlift-dev-worker-0').get('/etc/rancher/k3s/token')?.content.toString().trim() ?? ''
  expect(token.length).toBeGreaterThan(8)
  const put = [
    file('/var/lib/rancher/k3s/agent/containerd/containerd.log', `joined with ${token}\n`),
    file('/var/lib/rancher/k3s/airlift/state/journal', 'a step\n'),
    file(
      '/etc/rancher/k3s/registries.yaml',
      'configs:\n  r.local:\n    auth: {username: bob, password: tr0ub4dor}\n',
    ),
    file('/var/log/k3s-agent.log.previous', 'logged in with tr0ub4dor\n'),
  ]
  await engine.putArchive('airlift-dev-worker-0', '/', pack(put))
  await engine.stopContainer('airlift-dev-worker-0', 1)
  await engine.removeContainer('airlift-dev-worker-1', { force: true })
  await engine.removeContainer('airlift-dev-lb', { force: true })

  const output = join(home.path, 'logs')
  const ref = { name: 'dev', masters: [], nodes: [], ssh: spec.ssh }
  const result = await logs({ ref, output, version: '1.0.0' }, own.ctx, own.deps)
  expect(result.outcome).toBe('partial')
  expect(result.machines).toMatchObject([
    ...Array(3).fill({ role: 'master', outcome: 'collected', error: null }),
    {
      machine: 'docker://airlift-dev-worker-0',
      outcome: 'stopped',
      error: {
        code: 'E_ENGINE_NOT_FOUND',
        message: expect.stringContaining('the container airlift-dev-worker-0 is exited'),
        hint: 'start it: airlift start --name dev',
      },
    },
    {
      node: 'airlift-dev-worker-1',
      role: 'worker',
      outcome: 'failed',
      error: { message: expect.stringContaining('is gone'), hint: expect.stringContaining('airlift delete') },
    },
    {
      node: 'airlift-dev-lb',
      role: 'lb',
      outcome: 'failed',
      error: { message: expect.stringContaining('is gone') },
    },
  ])
  const read = (path: string): string => readFileSync(join(output, path), 'utf8')
  const dir = 'machines/airlift-dev-worker-0'
  expect(readdirSync(join(output, dir)).sort()).toEqual([
    'airlift',
    'config.yaml',
    'containerd.log',
    'facts.json',
    'k3s-agent.log.previous',
    'registries.yaml',
  ])
  expect(read(`${dir}/containerd.log`)).toBe('joined with [secret]\n')
  expect(read(`${dir}/registries.yaml`)).toContain('r.local')
  expect(read(`${dir}/k3s-agent.log.previous`)).toBe('logged in with [secret]\n')
  expect(read(`${dir}/airlift/journal`)).toBe('a step\n')
  expect(read('README')).toMatch(/worker-0 .*: only its files .*is exited/)
  expect(read('README')).toMatch(/worker-1 .*: NOT collected: .*is gone/)
  expect(JSON.parse(read('engine.json'))).toMatchObject({
    info: { kind: 'docker', version: '27.5.1' },
    networks: [{ name: 'airlift-dev' }],
  })
})

it('keeps the newest part of a long file, whatever its length', async () => {
  const text = Array.from({ length: 5000 }, (_, line) => `line ${line}`).join('\n')
  const tail = await readTail(Readable.from([pack([file('/a.log', text)])]), 100)
  expect(tail?.whole).toBe(false)
  expect(tail?.content.toString()).toBe(text.slice(-100))
  const whole = await readTail(Readable.from([pack([file('/a.log', 'short')])]), 100)
  expect(whole).toEqual({ content: Buffer.from('short'), whole: true })
})
