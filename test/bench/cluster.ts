import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { buildBundle } from '../lab/build-bundle.js'
import { airlift, type K3sUnderTest, type Lab, lab, labDown, labUp, sshFlags } from '../lab/lab.js'
import { type Claim, seconds } from './measure.js'
import { prepareBound, shellLoop, startAllAtOnce } from './peers.js'

const NAME = 'bench-cluster'
/** The addons need images that an air-gapped bench does not bring, and they are the same for all. */
const DISABLED = ['traefik', 'metrics-server', 'local-storage', 'servicelb', 'coredns']
const DISABLE = `disable: [${DISABLED.join(', ')}]\n`

/** One master and two workers to all Ready, three ways in turn on hosts that are made anew each time; then a second run. */
export async function benchCluster(runs: number, k3s: K3sUnderTest): Promise<Claim[]> {
  const home = mkdtempSync(`${tmpdir()}/airlift-bench-`)
  const bundle = `${home}/k3s.airlift`
  const figures = {
    ours: [] as number[],
    again: [] as number[],
    againBytes: [] as number[],
    loop: [] as number[],
    bound: [] as number[],
    staging: [] as number[],
  }
  try {
    await buildBundle(k3s, bundle, home)
    for (let i = 0; i < runs; i++) {
      const ours = await fresh()
      const where = [
        '--rootfs',
        bundle,
        '--masters',
        `root@${ours.hosts[0]?.ip}`,
        '--nodes',
        ours.hosts
          .slice(1)
          .map((host) => `root@${host.ip}`)
          .join(','),
        '--set',
        `disable=${DISABLED.join(',')}`,
        ...sshFlags(ours),
      ]
      figures.ours.push(await seconds(() => must(['run', ...where], home)))
      let report: { bytesSent?: number } = {}
      figures.again.push(
        await seconds(async () => {
          report = (await must(['run', ...where, '-o', 'json'], home)) as { bytesSent?: number }
        }),
      )
      figures.againBytes.push(report.bytesSent ?? Number.NaN)
      const loop = await fresh()
      figures.loop.push(await seconds(() => shellLoop(loop, k3s, DISABLE)))
      const bound = await fresh()
      const staging = await seconds(() => prepareBound(bound, k3s, DISABLE))
      figures.staging.push(staging)
      figures.bound.push(staging + (await seconds(() => startAllAtOnce(bound))))
    }
  } finally {
    await labDown(NAME)
    rmSync(home, { recursive: true, force: true })
  }
  return [
    {
      what: '1 master + 2 workers to all Ready',
      ours: figures.ours,
      theirs: figures.loop,
      peer: 'shell loop',
      unit: 's',
      limit: 0.6,
    },
    {
      what: '1 master + 2 workers to all Ready',
      ours: figures.ours,
      theirs: figures.bound,
      peer: 'bound with staging',
      unit: 's',
      limit: 1.1,
    },
    { what: 'staging alone, by scp to all at once', ours: figures.staging, unit: 's' },
    { what: 'a second run', ours: figures.again, unit: 's', limit: 2, absolute: true },
    { what: 'a second run sends', ours: figures.againBytes, unit: 'bytes', limit: 0, absolute: true },
  ]
}

/** New hosts under the old names: nothing of the run before is left, not even in memory. */
async function fresh(): Promise<Lab> {
  await lab('down', '--name', NAME)
  return labUp(NAME, 3)
}

async function must(args: readonly string[], home: string): Promise<unknown> {
  const result = await airlift(args, { home })
  if (result.exitCode !== 0)
    throw new Error(`airlift ${args.join(' ')} ended with ${result.exitCode}:\n${result.stderr}`)
  return result.json
}
