import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { execa } from 'execa'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { dockerArchive, layer, ociArchive } from '../../src/rootfs/archives.fixture.js'
import { type CliResult, type LabHost, labMissing, ROOT, sshFlags } from '../lab/lab.js'
import { type Scenario, startScenario } from './cluster.js'
import { hostOf, onHost } from './hosts.js'

interface Imported {
  readonly outcome: string
  readonly bytesSent: number
  readonly images: readonly { readonly name: string; readonly id: string }[]
  readonly machines: readonly {
    readonly node: string
    readonly outcome: string
    readonly images: readonly { readonly name: string; readonly outcome: string }[]
    readonly error: { readonly code: string; readonly message: string } | null
  }[]
}

const MEGABYTE = 1 << 20
/** Layers that do not compress, so that their size is what travels. */
const big = layer(
  Array.from({ length: MEGABYTE / 8 }, () => Math.random().toString(36).slice(2, 10)).join(''),
)
const name = (text: string): string => `docker.io/airlift-test/${text}`

describe.skipIf(labMissing())('images', () => {
  let scene: Scenario
  let hosts: readonly LabHost[]
  const engineTag = `airlift-test/engine-${process.pid}:1`

  beforeAll(async () => {
    scene = await startScenario('test-images', 3)
    hosts = [0, 1, 2].map((index) => hostOf(scene, index))
    const result = await scene.cli(['run', '--rootfs', scene.bundle, ...scene.where(), '-o', 'json'])
    expect(result.json, result.stderr).toMatchObject({ outcome: 'done' })
  })
  afterAll(async () => {
    await execa('docker', ['rmi', '-f', engineTag], { reject: false })
    await scene?.end()
  })

  const file = (path: string, content: Buffer | string): string => {
    writeFileSync(`${scene.home}/${path}`, content)
    return `${scene.home}/${path}`
  }
  const image = (...words: string[]): Promise<CliResult> =>
    scene.cli(['image', ...words, ...sshFlags(scene.machines), '-o', 'json'], { TMPDIR: scene.home })
  const bring = async (...words: string[]): Promise<Imported> => {
    const result = await image('import', ...words)
    expect(result.exitCode, result.stderr).toBe(0)
    return result.json as Imported
  }
  const outcomes = ({ machines }: Imported): string[][] =>
    machines.map(({ images }) => images.map((one) => one.outcome))
  const has = (host: LabHost): Promise<string[]> =>
    onHost(host, 'k3s ctr -n k8s.io images ls -q').then((text) => text.split('\n'))

  it('come from an archive to every node, and are there', async () => {
    const archive = file('app.tar', dockerArchive([{ names: ['airlift-test/app:1'], layers: [big] }]))
    const first = await bring(archive)
    expect(first.outcome).toBe('done')
    expect(outcomes(first)).toEqual([['imported'], ['imported'], ['imported']])
    expect(first.bytesSent).toBeGreaterThan(3 * MEGABYTE)
    for (const host of hosts) {
      expect(await has(host)).toContain(name('app:1'))
      const check = await onHost(host, `k3s ctr -n k8s.io images check | grep '^${name('app:1')} '`)
      expect(check).toMatch(/ complete .* true\s*$/)
      expect(await onHost(host, 'k3s crictl images -o json')).toContain(first.images[0]?.id)
    }
    const again = await bring(archive)
    expect(again.outcome).toBe('unchanged')
    expect(outcomes(again)).toEqual([['present'], ['present'], ['present']])
    expect(again.bytesSent).toBe(0)
  })

  it('run in pods', async () => {
    const pods = { app: 'test' }
    const daemonSet = {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'image-test' },
      spec: {
        selector: { matchLabels: pods },
        template: {
          metadata: { labels: pods },
          spec: { containers: [{ name: 'c', image: 'airlift-test/app:1' }] },
        },
      },
    }
    const [master] = hosts
    if (!master) throw new Error('no master')
    await onHost(master, `echo '${JSON.stringify(daemonSet)}' | k3s kubectl apply -f -`)
    const phase = (): Promise<string> =>
      onHost(master, "k3s kubectl get pods -l app=test -o jsonpath='{.items[*].status.phase}'")
    // An image with nothing to run starts only in the stand-in; a real kubelet must at least not pull.
    await expect.poll(phase, { timeout: 30_000, interval: 500 }).toMatch(/Running|Pending|Failed/)
    const events = await onHost(master, 'k3s kubectl get pods -l app=test -o json')
    expect(events).not.toMatch(/ErrImagePull|ImagePullBackOff/)
    await onHost(master, 'k3s kubectl delete deployment image-test')
  })

  it('travel without the layers that a node has, and not at all for a new name', async () => {
    const next = { names: ['airlift-test/app:2'], layers: [big, layer('the new version')] }
    const sent = await bring(file('next.tar', dockerArchive([next])))
    expect(outcomes(sent)).toEqual([['imported'], ['imported'], ['imported']])
    expect(sent.bytesSent).toBeLessThan(100_000)
    const renamed = { names: ['airlift-test/app:1', 'airlift-test/app:stable'], layers: [big] }
    const tagged = await bring(file('renamed.tar', dockerArchive([renamed])))
    expect(outcomes(tagged)).toEqual(Array(3).fill(['present', 'imported']))
    expect(tagged.bytesSent).toBe(0)
    for (const host of hosts) expect(await has(host)).toContain(name('app:stable'))
  })

  it('come from standard input, to some nodes, which image list then tells from the others', async () => {
    const archive = file('piped.tar', dockerArchive([{ names: ['airlift-test/piped:1'] }]))
    const flags = sshFlags(scene.machines).join(' ')
    const piped = await execa(
      'sh',
      [
        '-c',
        `gzip -c ${archive} | ${process.execPath} ${ROOT}/bin/airlift.js image import - --nodes ${flags} -o json`,
      ],
      { env: { HOME: scene.home, XDG_STATE_HOME: `${scene.home}/.state`, TMPDIR: scene.home, CI: '1' } },
    )
    const { machines } = JSON.parse(piped.stdout) as Imported
    const workers = hosts.slice(1).map((host) => host.name)
    expect(machines.map(({ node, outcome }) => [node, outcome])).toEqual(
      workers.map((node) => [node, 'changed']),
    )
    const differ = await image('list', '--diff')
    expect(differ.json).toMatchObject({
      outcome: 'done',
      images: [{ name: name('piped:1'), same: false, missing: [hosts[0]?.name] }],
    })
    expect(outcomes(await bring(archive))).toEqual([['imported'], ['present'], ['present']])
    expect((await image('list', '--diff')).json).toMatchObject({ images: [] })
    const all = (await image('list')).json as { images: { name: string; nodes: unknown[] }[] }
    expect(all.images.find((one) => one.name === name('piped:1'))?.nodes).toHaveLength(3)
    expect(all.images.some((one) => one.name.startsWith('sha256:'))).toBe(false)
  })

  it('come from the Docker daemon, and from the directory of a layout', async () => {
    await execa('docker', ['import', '-', engineTag], { input: layer('from docker') })
    const first = await bring(engineTag)
    expect(outcomes(first)).toEqual([['imported'], ['imported'], ['imported']])
    const { stdout } = await execa('docker', ['image', 'inspect', '-f', '{{.Id}}', engineTag])
    expect(first.images).toEqual([{ name: `docker.io/${engineTag}`, arch: 'amd64', id: stdout }])
    expect(outcomes(await bring(engineTag))).toEqual([['present'], ['present'], ['present']])

    const archive = file(
      'oci.tar',
      ociArchive([name('oci:1')], [{ names: [] }, { names: [], arch: 'arm64' }]).bytes,
    )
    mkdirSync(`${scene.home}/layout`)
    await execa('tar', ['-xf', archive, '-C', `${scene.home}/layout`])
    expect(outcomes(await bring(`${scene.home}/layout`))).toEqual([['imported'], ['imported'], ['imported']])
    expect(outcomes(await bring(archive))).toEqual([['present'], ['present'], ['present']])
  })

  it('are refused before anything is sent when they are none, or none for the nodes', async () => {
    const before = await Promise.all(hosts.map(has))
    const arm = file('arm.tar', dockerArchive([{ names: ['airlift-test/arm:1'], arch: 'arm64' }]))
    const cases: [string, number, string, RegExp][] = [
      [
        file('text.tar', 'hello'),
        2,
        'E_IMAGE_INVALID',
        /text\.tar is no archive of images: it is no tar archive/,
      ],
      [file('nameless.tar', dockerArchive([{ names: [] }])), 2, 'E_IMAGE_INVALID', /an image without a name/],
      [arm, 2, 'E_IMAGE_INVALID', /is for linux\/arm64, and \S+ is linux\/amd64/],
      [`${scene.home}/gone.tar`, 2, 'E_LOCAL_FILE', /gone\.tar: no such file/],
      ['airlift-test/never-built:1', 5, 'E_IMAGE_MISSING', /there is no image "airlift-test\/never-built:1"/],
    ]
    for (const [word, exit, code, message] of cases) {
      const result = await image('import', `${scene.home}/app.tar`, word)
      expect(result.exitCode, result.stderr).toBe(exit)
      expect(result.json).toMatchObject({
        error: { code, message: expect.stringMatching(message), hint: expect.any(String) },
      })
    }
    expect(await Promise.all(hosts.map(has))).toEqual(before)
  })

  describe('where a node fails', () => {
    const [good, bad] = [['imported'], ['failed']]
    let count = 0
    /** Imports an image that nobody has; the result must be partial. */
    const partly = async (...flags: string[]): Promise<{ result: Imported; archive: string }> => {
      count += 1
      const content = { names: [`airlift-test/partly:${count}`], layers: [layer(`${count}`), big] }
      const archive = file(`partly-${count}.tar`, dockerArchive([content]))
      const done = await image('import', archive, ...flags)
      expect(done.exitCode, done.stderr).toBe(3)
      expect((done.json as Imported).outcome).toBe('partial')
      return { result: done.json as Imported, archive }
    }

    it('because it has no k3s, the others have the image, and the next import sends to it alone', async () => {
      const last = hostOf(scene, 2)
      await onHost(last, 'mv /usr/local/bin/k3s /usr/local/bin/k3s.away')
      const { result, archive } = await partly()
      expect(outcomes(result)).toEqual([good, good, bad])
      expect(result.machines[2]?.error).toMatchObject({
        code: 'E_COMMAND',
        message: 'there is no k3s on this machine',
      })
      await onHost(last, 'mv /usr/local/bin/k3s.away /usr/local/bin/k3s')
      expect(outcomes(await bring(archive))).toEqual([['present'], ['present'], good])
    })

    it('because it takes too long, the others are not kept waiting', async () => {
      const last = hostOf(scene, 2)
      await onHost(
        last,
        `mv /usr/local/bin/k3s /usr/local/bin/k3s.real && printf '%s\\n' '#!/bin/sh' 'case "$*" in *import*) sleep 91.5;; esac' 'exec /usr/local/bin/k3s.real "$@"' >/usr/local/bin/k3s && chmod 755 /usr/local/bin/k3s`,
      )
      const { result } = await partly('--timeout', '25s')
      expect(outcomes(result)).toEqual([good, good, bad])
      expect(result.machines[2]?.error?.code).toBe('E_TIMEOUT')
      // What was started there is ended.
      await expect
        .poll(() => onHost(last, "pgrep -f '^sleep 91[.]5' || echo none"), { timeout: 15_000 })
        .toBe('none')
      await onHost(last, 'mv /usr/local/bin/k3s.real /usr/local/bin/k3s')
    })

    it('because its disk is full, it says how much is needed', async () => {
      const last = hostOf(scene, 2)
      const dir = '/var/lib/rancher/k3s/agent/containerd'
      await onHost(
        last,
        `cp -a ${dir} /tmp/kept && mount -t tmpfs -o size=1m tmpfs ${dir} && cp -a /tmp/kept/. ${dir}/`,
      )
      // A layer of its own, since what the node has need not be stored again.
      const archive = file(
        'large.tar',
        dockerArchive([{ names: ['airlift-test/large:1'], layers: [big, layer(`${big}`)] }]),
      )
      const done = await image('import', archive)
      expect(done.exitCode, done.stderr).toBe(3)
      const result = done.json as Imported
      expect(outcomes(result)).toEqual([good, good, bad])
      expect(result.machines[2]?.error?.code).toBe('E_DISK_FULL')
      expect(result.machines[2]?.error?.message).toMatch(
        /no room for the images: \d+ MiB are needed .* and \d+ MiB are free/,
      )
      await onHost(last, `umount ${dir}`)
      expect(outcomes(await bring(archive))).toEqual([['present'], ['present'], good])
    })
  })

  it('leave nothing behind on this computer', () => {
    expect(readdirSync(scene.home).filter((entry) => entry.startsWith('airlift-images-'))).toEqual([])
  })
})
