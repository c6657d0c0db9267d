import { createHash } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { execa } from 'execa'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { dockerArchive, tar } from '../../src/rootfs/archives.fixture.js'
import { airlift, k3sUnderTest, type Lab, labDown, labMissing, labUp, ROOT, sshFlags } from '../lab/lab.js'
import { type Nodes, promisedNodes } from '../lab/nodes.js'

// What package.json promises of versions of node: each does the main job, on a host of its own and in containers.

const ID = process.pid
const LAB = 'test-nodes'
const IMAGE = `airlift-test-nodes-${ID}:1`
const majors = promisedNodes().map(({ major }) => major)
const others = majors.filter((major) => !process.version.startsWith(`v${major}.`))
/** Set by the global setup, which says why it could not. */
const nodes = JSON.parse(process.env.AIRLIFT_TEST_NODES ?? 'null') as Nodes | null
const { real, ...k3s } = k3sUnderTest()
/** Where versions of node differ: cryptography, streams, files, downloads. */
const UNITS = ['src/core', 'src/machine/ssh', 'src/rootfs']

// The stand-in is quick enough for all at once.
const main = real ? it : it.concurrent

// Each with two clusters, beside the other suites.
describe.skipIf(labMissing() || !nodes)('the command line', { timeout: 600_000 }, () => {
  let home = ''
  let machines: Lab
  /** Digests of the bundles that were built. */
  const built = new Set<string>()

  beforeAll(async () => {
    home = mkdtempSync(`${tmpdir()}/airlift-nodes-`)
    machines = await labUp(LAB, majors.length)
    if (!real) await execa(`${ROOT}/lab/stand-in/image.sh`, [IMAGE])
    writeFileSync(
      `${home}/extra.tar`,
      dockerArchive([{ names: ['airlift-test/extra:1'], layers: [tar({})] }]),
    )
  })
  afterAll(async () => {
    for (const major of majors)
      await airlift(['reset', '--name', nameOf(major), '--yes'], { home: `${home}/${major}` })
    await labDown(LAB)
    await execa('docker', ['rmi', '-f', IMAGE], { reject: false })
    rmSync(home, { recursive: true, force: true })
  })

  const nameOf = (major: string): string => `test-nodes-${ID}-${major}`

  /** Runs it under a version of node: it must succeed, and node itself must have nothing to say. */
  const cli = async (major: string, ...args: string[]): Promise<{ stdout: string; json: unknown }> => {
    const result = await airlift(args, { home: `${home}/${major}`, node: nodes?.[major] ?? '' })
    expect(result.exitCode, `${args.join(' ')}\n${result.stdout}\n${result.stderr}`).toBe(0)
    expect(result.stderr, args.join(' ')).not.toMatch(/\(node:\d+\)|Warning:/)
    return result
  }

  /** Makes a cluster, uses it and removes it. */
  const useCluster = async (major: string, name: string, ...where: string[]): Promise<void> => {
    const named = ['--name', name]
    const made = await cli(
      major,
      'run',
      ...named,
      '--rootfs',
      `${home}/${major}.airlift`,
      ...where,
      '-o',
      'json',
    )
    expect(made.json).toMatchObject({ outcome: 'done' })
    const status = await cli(major, 'status', ...named, '-o', 'json')
    expect(status.json).toMatchObject({ health: 'ready', problems: [] })
    expect((await cli(major, 'exec', ...named, '--', 'echo', 'from', major)).stdout).toContain(
      `from ${major}`,
    )
    const image = await cli(major, 'image', 'import', `${home}/extra.tar`, ...named, '-o', 'json')
    expect(image.json).toMatchObject({ outcome: 'done' })
    expect((await cli(major, 'reset', ...named, '--yes', '-o', 'json')).json).toMatchObject({
      outcome: 'done',
    })
  }

  main.each(majors)('does the main job on node %s', async (major) => {
    expect((await cli(major, '--help')).stdout).toContain('Usage: airlift')
    expect((await cli(major, 'version')).stdout).toContain(`v${major}.`)
    const bundle = `${home}/${major}.airlift`
    const from = ['--version', k3s.version, '--binary', k3s.binary, '--images', k3s.images]
    await cli(major, 'rootfs', 'build', '--runtime', 'k3s', ...from, '--output', bundle)
    await cli(major, 'rootfs', 'verify', bundle)
    const { json } = await cli(major, 'rootfs', 'inspect', bundle, '-o', 'json')
    expect(json).toMatchObject({ runtime: 'k3s', version: k3s.version })
    // Equal byte for byte, whatever built it.
    built.add(createHash('sha256').update(readFileSync(bundle)).digest('hex'))
    expect(built.size).toBe(1)
    const host = machines.hosts[majors.indexOf(major)]
    await useCluster(major, `host-${major}`, '--masters', `root@${host?.ip}`, ...sshFlags(machines))
    const containers = ['--masters', '1', '--nodes', '1', ...(real ? [] : ['--image', IMAGE])]
    await useCluster(major, nameOf(major), ...containers)
  })
})

// The version that runs this has run all of them.
describe.skipIf(!nodes)('the unit tests of what depends on node', { timeout: 600_000 }, () => {
  it.each(others)('pass on node %s', async (major) => {
    const args = [`${ROOT}/node_modules/vitest/vitest.mjs`, 'run', '--project', 'unit', ...UNITS]
    const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('VITEST')))
    const { exitCode, all } = await execa(nodes?.[major] ?? '', args, {
      cwd: ROOT,
      env,
      extendEnv: false,
      all: true,
      reject: false,
    })
    expect(exitCode, all).toBe(0)
    expect(all).not.toMatch(/DeprecationWarning|on garbage collection/)
  })
})
