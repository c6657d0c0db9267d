import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { execa } from 'execa'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { dockerArchive, tar } from '../../src/rootfs/archives.fixture.js'
import { buildBundle } from '../lab/build-bundle.js'
import { airlift, type CliResult, k3sUnderTest, labMissing, ROOT } from '../lab/lab.js'
import { killAt } from './cluster.js'

// Images into containers: the engine puts what is large there as a file, once for all nodes, which must never stay.

const ID = process.pid
const IMAGE = `airlift-test-container-images-${ID}:1`
const NAME = `test-ci-${ID}`
const real = k3sUnderTest().real
const NODES = [`airlift-${NAME}-master-0`, `airlift-${NAME}-worker-0`]
const MEGABYTE = 1 << 20
const ARCHIVES = '/var/lib/rancher/k3s/airlift'

const inside = async (node: string, script: string): Promise<string> =>
  (await execa('docker', ['exec', node, 'sh', '-c', script])).stdout.trim()
const SHARED = '/var/lib/airlift/images/import'
const archives = async (): Promise<string> =>
  (
    await Promise.all(
      NODES.map((node) => inside(node, `ls ${ARCHIVES} ${SHARED} 2>/dev/null | grep '[.]tar$' || true`)),
    )
  ).join('')
const named = (name: string): Promise<string[]> =>
  Promise.all(
    NODES.map((node) => inside(node, `k3s ctr -n k8s.io images ls -q | grep -cx '${name}' || true`)),
  )

describe.skipIf(labMissing())('images into containers', () => {
  let home = ''
  const cli = (...args: string[]): Promise<CliResult> => airlift(args, { home, env: { TMPDIR: home } })
  const archive = (name: string, bytes: number): string => {
    const path = `${home}/${name}.tar`
    const layers = [tar({ data: randomBytes(bytes) })]
    writeFileSync(path, dockerArchive([{ names: [`airlift-test/${name}:1`], layers }]))
    return path
  }
  const words = (path: string): string[] => ['image', 'import', path, '--name', NAME]

  beforeAll(async () => {
    home = mkdtempSync(`${tmpdir()}/airlift-container-images-`)
    await buildBundle(k3sUnderTest(), `${home}/k3s.airlift`, home)
    if (!real) await execa(`${ROOT}/lab/stand-in/image.sh`, [IMAGE])
    const made = await cli(
      ...['run', '--rootfs', `${home}/k3s.airlift`, ...(real ? [] : ['--image', IMAGE]), '--name', NAME],
      ...['--masters', '1', '--nodes', '1'],
    )
    expect(made.exitCode, made.stderr).toBe(0)
  })
  afterAll(async () => {
    await cli('reset', '--name', NAME, '--yes')
    await execa('docker', ['rmi', '-f', IMAGE], { reject: false })
    rmSync(home, { recursive: true, force: true })
  })

  it.each([
    ['large', 8 * MEGABYTE, 1],
    ['small', 1000, NODES.length],
  ])('arrive, and leave nothing beside (%s)', async (name, bytes, times) => {
    const path = archive(name, bytes)
    const done = await cli(...words(path), '-o', 'json')
    expect(done.json, done.stderr).toMatchObject({
      outcome: 'done',
      machines: NODES.map((node) => ({ node, images: [{ outcome: 'imported' }], error: null })),
    })
    const { bytesSent } = done.json as { bytesSent: number }
    expect(bytesSent).toBeGreaterThan(times * bytes)
    if (times === 1) expect(bytesSent).toBeLessThan(2 * bytes)
    expect(await named(`docker.io/airlift-test/${name}:1`)).toEqual(['1', '1'])
    expect(await archives()).toBe('')
    const again = await cli(...words(path), '-o', 'json')
    expect(again.json).toMatchObject({ outcome: 'unchanged', bytesSent: 0 })
  })

  it('are sent once too where a node comes so late that another is through with them', async () => {
    const bytes = 8 * MEGABYTE
    const [, worker = ''] = NODES
    // Its script asks what time it is before it says where it wants an archive, and is told after a while.
    const dir = (await inside(worker, 'echo "$PATH"')).split(':')[0]
    const late = '#!/bin/sh\nsleep 2; PATH=$(echo "$PATH" | cut -d: -f2-) exec date "$@"'
    await inside(worker, `mkdir -p ${dir} && echo '${late}' >${dir}/date && chmod +x ${dir}/date`)
    const done = await cli(...words(archive('late', bytes)), '-o', 'json')
    await inside(worker, `rm ${dir}/date`)
    expect(done.json, done.stderr).toMatchObject({ outcome: 'done' })
    const { bytesSent } = done.json as { bytesSent: number }
    expect(bytesSent).toBeGreaterThan(bytes)
    expect(bytesSent).toBeLessThan(2 * bytes)
    expect(await named('docker.io/airlift-test/late:1')).toEqual(['1', '1'])
    expect(await archives()).toBe('')
  })

  it('of an operator who is killed while they are sent leave nothing, and the same command brings them', async () => {
    const path = archive('killed', 96 * MEGABYTE)
    const { killed } = await killAt(words(path), home, 'upload.progress', 4)
    expect(killed).toBe(true)
    await expect.poll(archives, { timeout: 20_000, interval: 200 }).toBe('')
    // A part of an archive is no image.
    expect(await named('docker.io/airlift-test/killed:1')).toEqual(['0', '0'])
    const done = await cli(...words(path), '-o', 'json')
    expect(done.json, done.stderr).toMatchObject({ outcome: 'done' })
    expect(await named('docker.io/airlift-test/killed:1')).toEqual(['1', '1'])
  })

  it('that a container which was killed had half of are removed by the next import', async () => {
    const [node = ''] = NODES
    // The process that wanted it is gone with its container.
    await inside(node, `mkdir -p ${ARCHIVES} && echo half >${ARCHIVES}/import-999999-1.tar`)
    await inside(node, `echo half >${SHARED}/${node}@1700000000.import-999999-1.tar`)
    // k3s must not take it for an image of its own in between.
    await inside(node, 'sh /usr/local/bin/airlift-node link-images')
    expect(await inside(node, 'ls -l /var/lib/rancher/k3s/agent/images')).not.toContain('import')
    expect(await archives()).not.toBe('')
    const done = await cli(...words(archive('next', 8 * MEGABYTE)), '-o', 'json')
    expect(done.json, done.stderr).toMatchObject({ outcome: 'done' })
    expect(await archives()).toBe('')
  })

  it('of two operators at the same moment all arrive', async () => {
    const paths = ['one', 'two'].map((name) => archive(name, 8 * MEGABYTE))
    const done = await Promise.all(paths.map((path) => cli(...words(path), '-o', 'json')))
    for (const { json, stderr } of done) expect(json, stderr).toMatchObject({ outcome: 'done' })
    for (const name of ['one', 'two']) {
      expect(await named(`docker.io/airlift-test/${name}:1`)).toEqual(['1', '1'])
    }
    expect(await archives()).toBe('')
  })
})
