import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { dockerArchive, elf, layer } from '../../rootfs/archives.fixture.js'
import { main } from '../main.js'

let dir: string
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'airlift-cli-rootfs-'))
  writeFileSync(join(dir, 'k3s'), elf('amd64'))
  const images = [{ names: ['rancher/pause:3.6', 'pause:3.6'], layers: [layer('x')] }]
  writeFileSync(join(dir, 'images.tar'), dockerArchive(images))
})
afterEach(() => rmSync(dir, { recursive: true, force: true }))

interface Ran {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

async function airlift(...argv: string[]): Promise<Ran> {
  let [stdout, stderr] = ['', '']
  const code = await main(argv, {
    env: {},
    stdout: { write: (text) => (stdout += text) },
    stderr: { write: (text) => (stderr += text) },
  })
  return { code, stdout, stderr }
}

const bundle = (): string => join(dir, 'k3s.airlift')
const build = (...extra: string[]): Promise<Ran> =>
  airlift(
    ...['rootfs', 'build', '--runtime', 'k3s', '--version', 'v1.33.1+k3s1', '--binary', join(dir, 'k3s')],
    ...['--images', join(dir, 'images.tar'), '--output', bundle(), ...extra],
  )

describe('airlift rootfs', () => {
  it('builds the bundle that --output names, and inspects it with the keys of the contract', async () => {
    const built = await build('-o', 'json')
    expect(built).toMatchObject({ code: 0, stderr: '' })
    const inspected = await airlift('rootfs', 'inspect', bundle(), '-o', 'json')
    const json = JSON.parse(inspected.stdout) as {
      digest: string
      files: object[]
      images: { names: string[] }[]
    }
    expect(json).toMatchObject({ runtime: 'k3s', version: 'v1.33.1+k3s1', arch: ['amd64'] })
    expect(json.files[0]).toEqual({
      path: 'bin/k3s',
      sha256: expect.stringMatching(/^[0-9a-f]{64}$/),
      size: 64,
      mode: '0755',
      role: 'binary',
      arch: 'amd64',
    })
    expect(json.images[0]?.names).toEqual(['docker.io/library/pause:3.6', 'docker.io/rancher/pause:3.6'])
    expect(JSON.parse(built.stdout)).toMatchObject({ output: bundle(), digest: json.digest })
    expect(readFileSync(bundle()).subarray(0, 10).toString()).toBe('oci-layout')
  })

  it('prints text that names what matters', async () => {
    const built = await build()
    expect(built.stdout).toMatch(
      /k3s\.airlift: k3s v1\.33\.1\+k3s1 for amd64, 2 images, .*\nsha256:[0-9a-f]{64}\n/,
    )
    expect((await airlift('rootfs', 'inspect', bundle())).stdout).toMatch(
      /docker\.io\/rancher\/pause:3\.6 +amd64/,
    )
    expect(await airlift('rootfs', 'verify', bundle())).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('all as they were built'),
    })
  })

  it('verify tells of damage with exit 1, as one JSON document too', async () => {
    await build()
    truncateSync(bundle(), 9_000)
    const text = await airlift('rootfs', 'verify', bundle())
    expect(text).toMatchObject({ code: 1, stdout: '', stderr: expect.stringMatching(/was cut/) })
    const { code, stdout } = await airlift('rootfs', 'verify', bundle(), '-o', 'json')
    expect(code).toBe(1)
    expect(JSON.parse(stdout)).toMatchObject({ error: { code: 'E_BUNDLE_DAMAGED', machine: null } })
  })

  it.each<[string, string[], RegExp]>([
    ['no --version', ['rootfs', 'build', '--output', 'x'], /--version/],
    ['no --output', ['rootfs', 'build', '--version', 'v1.33.1+k3s1'], /--output/],
    [
      'an unknown architecture',
      ['rootfs', 'build', '--version', 'v1.33.1+k3s1', '--arch', 'mips', '--output', 'x'],
      /"mips"/,
    ],
    [
      'an unknown runtime',
      ['rootfs', 'build', '--runtime', 'k9s', '--version', 'v1.33.1+k3s1', '--output', 'x'],
      /"k9s"/,
    ],
    [
      'an unknown flag',
      ['rootfs', 'build', '--version', 'v1.33.1+k3s1', '--output', 'x', '--imagez', 'x'],
      /--imagez/,
    ],
    ['a bundle that is none', ['rootfs', 'inspect', '/bin/sh'], /not a bundle/],
    ['no bundle', ['rootfs', 'inspect'], /bundle/],
  ])('refuses %s with exit 2', async (_what, argv, message) => {
    expect(await airlift(...argv)).toMatchObject({
      code: 2,
      stdout: '',
      stderr: expect.stringMatching(message),
    })
  })
})
