import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { execa } from 'execa'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { buildBundle } from '../lab/build-bundle.js'
import { airlift, type CliResult, k3sUnderTest, LONG, labMissing, ROOT } from '../lab/lab.js'

// Containers that join are as those that `run` makes, so that the `run` of the beginning with the new numbers has nothing to do.

const ID = process.pid
const IMAGE = `airlift-test-add-options-${ID}:1`
const NAME = `test-ao-${ID}`
const real = k3sUnderTest().real
const node = (role: string, index: number): string => `airlift-${NAME}-${role}-${index}`
const inside = async (name: string, script: string): Promise<string> =>
  (await execa('docker', ['exec', name, 'sh', '-c', script])).stdout.trim()
const inspect = async (name: string, format: string): Promise<string> =>
  (await execa('docker', ['inspect', '--format', format, name])).stdout.trim()

describe.skipIf(labMissing())('containers that join a cluster with options', () => {
  let home = ''
  const proxy = { HTTP_PROXY: 'http://me:word@203.0.113.9:3128' }
  const cli = (args: readonly string[], env: Record<string, string> = {}): Promise<CliResult> =>
    airlift([...args, '-o', 'json', '-q'], { home, env })
  const bundle = (): string[] => ['--rootfs', `${home}/k3s.airlift`, '--name', NAME]
  const run = (masters: number, workers: number): Promise<CliResult> =>
    cli(
      [
        ...['run', ...bundle(), ...(real ? [] : ['--image', IMAGE])],
        ...['--masters', String(masters), '--nodes', String(workers), '--set', 'cluster-init=true'],
        ...['--k3s-arg=--disable=traefik', '--k3s-arg=--kubelet-arg=max-pods=50@workers:*'],
        ...['--env', 'COLOUR=red', '--env', 'ALONE=1@workers:0', '--env', 'M=1@masters:*'],
        ...['--volume', `${home}/data:/data:ro@workers:*`, '--volume', '/own'],
        ...['--file', `${home}/note:/etc/note`, '--ca', `${home}/ca.pem`, '--runtime-label', 'team=x'],
        ...['--node-label', 'zone=a', '--node-label', 'one=1@workers:0'],
        ...['--node-taint', 'kind=w:PreferNoSchedule@workers:*', '--memory', '600m@workers:*'],
      ],
      proxy,
    )

  beforeAll(async () => {
    home = mkdtempSync(`${tmpdir()}/airlift-add-options-`)
    mkdirSync(`${home}/data`)
    writeFileSync(`${home}/note`, 'a note\n')
    const key = ['-keyout', '/dev/null', '-out', `${home}/ca.pem`, '-subj', '/CN=airlift-test']
    await execa('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', ...key])
    await buildBundle(k3sUnderTest(), `${home}/k3s.airlift`, home)
    if (!real) await execa(`${ROOT}/lab/stand-in/image.sh`, [IMAGE])
    const made = await run(1, 1)
    expect(made.json, made.stderr).toMatchObject({ outcome: 'done' })
  }, LONG)
  afterAll(async () => {
    await cli(['reset', '--name', NAME, '--yes'])
    await execa('docker', ['rmi', '-f', IMAGE], { reject: false })
    rmSync(home, { recursive: true, force: true })
  }, LONG)

  it(
    'get what was given to all of their role, from a shell without any of it, and run has nothing left to do',
    async () => {
      const added = await cli(['add', ...bundle(), '--masters', '1', '--nodes', '1'])
      expect(added.json, added.stderr).toMatchObject({ outcome: 'done' })
      const [master, worker] = [node('master', 1), node('worker', 1)]
      expect(await inside(worker, 'echo $COLOUR-$ALONE-$M-$HTTP_PROXY; cat /etc/note')).toBe(
        `red---${proxy.HTTP_PROXY}\na note`,
      )
      expect(await inside(master, 'echo $COLOUR-$ALONE-$M-$http_proxy; cat /etc/note')).toBe(
        `red--1-${proxy.HTTP_PROXY}\na note`,
      )
      for (const name of [master, worker]) {
        expect(await inside(name, 'cat /etc/ssl/certs/airlift-1.pem')).toContain('BEGIN CERTIFICATE')
        expect(await inspect(name, '{{json .Config.Labels}}')).not.toMatch(/me:word|red/)
        expect(await inspect(name, '{{index .Config.Labels "team"}}')).toBe('x')
        expect(await inspect(name, '{{range .Mounts}}{{.Name}} {{end}}')).toContain(`${name}-mount-own`)
      }
      expect(await inspect(worker, '{{.HostConfig.Memory}}')).toBe(String(600 * 1024 ** 2))
      const config = (name: string): Promise<string> => inside(name, 'cat /etc/rancher/k3s/config.yaml')
      expect(await config(master)).toMatch(/disable:\s+- "?traefik/)
      expect(await config(worker)).toMatch(/zone=a[\s\S]*kind=w:PreferNoSchedule/)
      expect(await config(worker)).not.toContain('one=1')
      const again = await run(2, 2)
      expect(again.json, again.stderr).toMatchObject({ outcome: 'unchanged' })
    },
    LONG,
  )

  it(
    'keep what is given to them alone, and those after them are as the others again',
    async () => {
      const own = ['--env', 'COLOUR=blue', '--memory', '700m', '--node-label', 'zone=b']
      const added = await cli(['add', ...bundle(), '--nodes', '1', ...own])
      expect(added.json, added.stderr).toMatchObject({ outcome: 'done' })
      const later = await cli(['add', ...bundle(), '--nodes', '1'])
      expect(later.json, later.stderr).toMatchObject({ outcome: 'done' })
      const seen = async (index: number): Promise<string> => {
        const name = node('worker', index)
        const memory = await inspect(name, '{{.HostConfig.Memory}}')
        return `${await inside(name, 'echo $COLOUR; grep -o zone=. /etc/rancher/k3s/config.yaml')} ${memory}`
      }
      expect(await seen(2)).toBe(`blue\nzone=b ${700 * 1024 ** 2}`)
      expect(await seen(3)).toBe(`red\nzone=a ${600 * 1024 ** 2}`)
    },
    LONG,
  )
})
