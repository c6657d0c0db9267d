import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { execa } from 'execa'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { buildBundle } from '../lab/build-bundle.js'
import { airlift, type CliResult, k3sUnderTest, labMissing, ROOT } from '../lab/lab.js'

// Clusters of IPv4 and IPv6 in containers, on a real engine.

const ID = process.pid
const IMAGE = `airlift-test-dual-${ID}:1`
const NAME = `test-d-${ID}`
const real = k3sUnderTest().real
const docker = async (...args: string[]): Promise<string> => (await execa('docker', args)).stdout.trim()
const lines = (text: string): string[] => text.split('\n').filter(Boolean)

/** Why the engine cannot do IPv6; undefined where it can. */
async function noIpv6(): Promise<string | undefined> {
  if (labMissing()) return undefined
  const name = `${NAME}-try`
  const subnets = [
    '--subnet',
    `192.168.${100 + (ID % 100)}.0/24`,
    '--subnet',
    `fd00:${(ID % 65536).toString(16)}::/64`,
  ]
  const made = await execa('docker', ['network', 'create', '--ipv6', ...subnets, name], { reject: false })
  if (made.exitCode === 0) await docker('network', 'rm', name)
  return made.exitCode === 0 ? undefined : made.stderr
}
const missing = await noIpv6()
if (missing)
  process.stderr.write(`SKIPPED: clusters of IPv4 and IPv6, since the engine has no IPv6: ${missing}\n`)

interface Outcome {
  readonly outcome?: string
  readonly health?: string
  readonly nodes?: readonly { readonly name: string; readonly addresses?: readonly string[] }[]
  readonly error?: { readonly code: string; readonly message: string; readonly hint: string | null }
}

describe.skipIf(labMissing() || missing)('clusters of IPv4 and IPv6 in containers', () => {
  let home = ''
  const bundle = (): string => `${home}/k3s.airlift`
  const cli = (...args: string[]): Promise<CliResult> => airlift(args, { home })
  const json = async (...args: string[]): Promise<Outcome & { exit: number }> => {
    const { json: out, exitCode } = await cli(...args, '-o', 'json', '-q')
    return { ...(out as Outcome), exit: exitCode }
  }
  const runArgs = (name: string, masters: number, workers: number, ...more: string[]): string[] => [
    ...['run', '--rootfs', bundle(), ...(real ? [] : ['--image', IMAGE]), '--name', name],
    ...['--masters', String(masters), '--nodes', String(workers), ...more],
  ]
  const kubectl = (name: string, ...args: string[]): Promise<string> =>
    docker('exec', `airlift-${name}-master-0`, 'k3s', 'kubectl', ...args)
  /** What the engine says: name, address, address of IPv6. */
  const fixed = async (name: string): Promise<string[]> => {
    const names = lines(
      await docker('ps', '-a', '--filter', `label=airlift.cluster=${name}`, '--format', '{{.Names}}'),
    ).sort()
    const format =
      '{{.Name}} {{range .NetworkSettings.Networks}}{{.IPAMConfig.IPv4Address}} {{.IPAMConfig.IPv6Address}}{{end}}'
    return lines(await docker('inspect', '--format', format, ...names))
  }
  const left = async (name: string): Promise<string[]> => {
    const filter = ['--filter', `label=airlift.cluster=${name}`]
    return [
      ...lines(await docker('ps', '-aq', ...filter)),
      ...lines(await docker('network', 'ls', '-q', ...filter)),
      ...lines(await docker('volume', 'ls', '-q', ...filter)),
    ]
  }
  /** Asks an API server, whatever its certificate; only that it answers is of interest. */
  const ping = (host: string, port: number): Promise<string> =>
    execa('curl', ['-gksS', '--max-time', '5', `https://${host}:${port}/ping`]).then(
      ({ stdout }) => stdout,
      (error: { shortMessage?: string }) => String(error.shortMessage),
    )

  beforeAll(async () => {
    home = mkdtempSync(`${tmpdir()}/airlift-dual-`)
    await buildBundle(k3sUnderTest(), bundle(), home)
    if (!real) await execa(`${ROOT}/lab/stand-in/image.sh`, [IMAGE])
  })
  afterAll(async () => {
    for (const name of [NAME, `${NAME}-ha`, `${NAME}-n`]) await cli('reset', '--name', name, '--yes')
    await execa('docker', ['network', 'rm', `${NAME}-four`, `${NAME}-both`], { reject: false })
    await execa('docker', ['rmi', '-f', IMAGE], { reject: false })
    rmSync(home, { recursive: true, force: true })
  })

  let first: string[] = []

  it('have nodes, pods and the network of both, and the nodes reach each other over IPv6', async () => {
    expect(await json(...runArgs(NAME, 1, 1, '--ip-family', 'dual'))).toMatchObject({
      exit: 0,
      outcome: 'done',
    })
    first = await fixed(NAME)
    expect(first).toEqual([
      expect.stringMatching(/^\/airlift-\S+-master-0 10\.118\.\d+\.3 fd[0-9a-f:]+::3$/),
      expect.stringMatching(/^\/airlift-\S+-worker-0 10\.118\.\d+\.4 fd[0-9a-f:]+::4$/),
    ])
    const path =
      '{range .items[*]}{.status.addresses[?(@.type=="InternalIP")].address} {.spec.podCIDRs[*]}{"\\n"}{end}'
    await expect
      .poll(() => kubectl(NAME, 'get', 'nodes', '-o', `jsonpath=${path}`).then(lines), { timeout: 60_000 })
      .toEqual(
        first.map((line) => {
          const [, v4, v6] = line.split(' ')
          return expect.stringMatching(new RegExp(`^${v4} ${v6} 10\\.42\\.[01]\\.0/24 fd00:42:\\S*:/64$`))
        }),
      )
    const six = first[0]?.split(' ')[2] ?? ''
    await docker('exec', `airlift-${NAME}-worker-0`, 'ping', '-6', '-c', '1', '-W', '3', six)
    const found = await json('status', '--name', NAME)
    expect(found).toMatchObject({ exit: 0, health: 'ready' })
    expect(found.nodes?.map((node) => node.addresses)).toEqual(first.map((line) => line.split(' ').slice(1)))
  })

  it('are left as they are by the same command, with the flag or without', async () => {
    expect(await json(...runArgs(NAME, 1, 1, '--ip-family', 'dual'))).toMatchObject({
      exit: 0,
      outcome: 'unchanged',
    })
    expect(await json(...runArgs(NAME, 1, 1))).toMatchObject({ exit: 0, outcome: 'unchanged' })
  })

  it('keep their addresses over stop and start, and give both to a node that is added', async () => {
    expect((await json('stop', '--name', NAME, '--yes')).exit).toBe(0)
    expect((await json('start', '--name', NAME)).exit).toBe(0)
    rmSync(`${home}/.state`, { recursive: true, force: true })
    expect(await json('add', '--name', NAME, '--nodes', '1')).toMatchObject({ exit: 0, outcome: 'done' })
    expect(await fixed(NAME)).toEqual([
      ...first,
      expect.stringMatching(/^\/airlift-\S+-worker-1 10\.118\.\d+\.5 fd[0-9a-f:]+::5$/),
    ])
    expect(await json('status', '--name', NAME)).toMatchObject({ health: 'ready' })
  })

  it.runIf(real)('give a Service that prefers it an address of each', async () => {
    await kubectl(NAME, 'create', 'service', 'clusterip', 'both', '--tcp=80')
    await kubectl(NAME, 'patch', 'service', 'both', '-p', '{"spec":{"ipFamilyPolicy":"PreferDualStack"}}')
    const ips = await kubectl(NAME, 'get', 'service', 'both', '-o', 'jsonpath={.spec.clusterIPs[*]}')
    expect(ips).toMatch(/^10\.43\.\S+ fd00:43::\S+$/)
  })

  it('are refused another family, and removed without a trace', async () => {
    const other = await json(...runArgs(NAME, 1, 2, '--ip-family', 'ipv4'))
    expect(other).toMatchObject({ exit: 2, error: { code: 'E_REMOVE_REFUSED' } })
    expect(other.error?.message).toContain('--ip-family')
    expect((await json('reset', '--name', NAME, '--yes')).exit).toBe(0)
    expect(await left(NAME)).toEqual([])
  })

  it('of two masters answer through the load balancer over IPv6, also when its ports were changed', async () => {
    const name = `${NAME}-ha`
    const port = await freePort()
    const args = runArgs(name, 2, 0, '--subnet', `auto,fd00:${(ID % 65536).toString(16)}:7::/64`)
    expect(await json(...args, '--api-port', `[::1]:${port}`)).toMatchObject({ exit: 0, outcome: 'done' })
    // Docker leads what comes to an address of IPv6 to the container's own of that family.
    expect(await ping('[::1]', port)).toBe('pong')
    const before = await fixed(name)
    expect((await json('ports', 'add', '--name', name, `[::1]:${await freePort()}:80`)).exit).toBe(0)
    expect(await fixed(name)).toEqual(before)
    await expect.poll(() => ping('[::1]', port), { timeout: 20_000 }).toBe('pong')
    expect((await json('reset', '--name', name, '--yes')).exit).toBe(0)
    expect(await left(name)).toEqual([])
  })

  it('join a network that has both, and are refused one that has not, and subnets that are taken', async () => {
    const name = `${NAME}-n`
    const four = ['--subnet', `192.168.${ID % 100}.0/24`]
    const six = `fd00:${(ID % 65536).toString(16)}:8::/64`
    await docker('network', 'create', ...four, `${NAME}-four`)
    const without = await json(...runArgs(name, 1, 0, '--ip-family', 'dual', '--network', `${NAME}-four`))
    expect(without).toMatchObject({ exit: 2, error: { message: expect.stringContaining('has no IPv6') } })
    await docker('network', 'rm', `${NAME}-four`)
    await docker('network', 'create', '--ipv6', ...four, '--subnet', six, `${NAME}-both`)
    const taken = await json(...runArgs(name, 1, 0, '--subnet', `auto,${six}`))
    expect(taken).toMatchObject({ exit: 5, error: { message: expect.stringContaining(`${NAME}-both`) } })
    expect(await left(name)).toEqual([])
    const made = await json(...runArgs(name, 1, 0, '--ip-family', 'dual', '--network', `${NAME}-both`))
    expect(made).toMatchObject({ exit: 0, outcome: 'done' })
    expect((await fixed(name))[0]).toContain(` ${six.replace('/64', '3')}`)
    expect((await json('reset', '--name', name, '--yes')).exit).toBe(0)
  })
})

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '::', resolve))
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  return typeof address === 'object' && address !== null ? address.port : 0
}
