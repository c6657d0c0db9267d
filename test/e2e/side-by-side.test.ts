import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { execa } from 'execa'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { buildBundle } from '../lab/build-bundle.js'
import { airlift, type CliResult, k3sUnderTest, LONG, labMissing, ROOT } from '../lab/lab.js'

// Several airlifts that make clusters in containers on one engine at the same moment.

const ID = process.pid
const IMAGE = `airlift-test-beside-${ID}:1`
const NAMES = ['a', 'b', 'c'].map((letter) => `test-s-${ID}-${letter}`)
const real = k3sUnderTest().real
const docker = async (...args: string[]): Promise<string> => (await execa('docker', args)).stdout.trim()

describe.skipIf(labMissing())('clusters that are made at the same moment', () => {
  let home = ''
  const cli = (...args: string[]): Promise<CliResult> => airlift([...args, '-o', 'json', '-q'], { home })
  const run = (name: string): Promise<CliResult> =>
    cli(
      ...['run', '--name', name, '--rootfs', `${home}/k3s.airlift`, ...(real ? [] : ['--image', IMAGE])],
      ...['--masters', '1', '--nodes', '1'],
    )
  beforeAll(async () => {
    home = mkdtempSync(`${tmpdir()}/airlift-beside-`)
    await buildBundle(k3sUnderTest(), `${home}/k3s.airlift`, home)
    if (!real) await execa(`${ROOT}/lab/stand-in/image.sh`, [IMAGE])
  }, LONG)
  afterAll(async () => {
    for (const name of NAMES) await cli('reset', '--name', name, '--yes')
    await execa('docker', ['rmi', '-f', IMAGE], { reject: false })
    rmSync(home, { recursive: true, force: true })
  }, LONG)

  it(
    'all come up, each with its own subnet, port and context',
    async () => {
      const made = await Promise.all(NAMES.map(run))
      for (const { json, stderr } of made) expect(json, stderr).toMatchObject({ outcome: 'done' })
      const ports = await Promise.all(NAMES.map((name) => docker('port', `airlift-${name}-master-0`, '6443')))
      expect(new Set(ports).size).toBe(NAMES.length)
      const format = '{{(index .IPAM.Config 0).Subnet}}'
      const subnets = await Promise.all(
        NAMES.map((name) => docker('network', 'inspect', `airlift-${name}`, '--format', format)),
      )
      expect(new Set(subnets).size).toBe(NAMES.length)
      const kubeconfig = readFileSync(`${home}/kubeconfig`, 'utf8')
      for (const name of NAMES) {
        expect(kubeconfig).toContain(`airlift-${name}`)
        expect(await cli('status', '--name', name)).toMatchObject({ exitCode: 0, json: { health: 'ready' } })
      }
      const gone = await Promise.all(NAMES.map((name) => cli('reset', '--name', name, '--yes')))
      expect(gone.map(({ exitCode }) => exitCode)).toEqual(NAMES.map(() => 0))
    },
    LONG,
  )

  it(
    'and are one and the same are made by one command, and the other leaves it alone',
    async () => {
      const [name = ''] = NAMES
      const both = await Promise.all([run(name), run(name)])
      const [winner] = both.filter(({ exitCode }) => exitCode === 0)
      const [loser] = both.filter((one) => one !== winner)
      expect(winner?.json, loser?.stderr).toMatchObject({ outcome: 'done' })
      expect(loser).toMatchObject({ exitCode: 1, json: { error: { code: 'E_LOCKED' } } })
      expect(await cli('status', '--name', name)).toMatchObject({ exitCode: 0, json: { health: 'ready' } })
      // And later it finds all as it must be.
      expect(await run(name)).toMatchObject({ exitCode: 0, json: { outcome: 'unchanged' } })
    },
    LONG,
  )
})
