import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { execa } from 'execa'
import { airlift, type K3sUnderTest } from '../lab/lab.js'
import {
  bareServer,
  bareWorker,
  type ContainerPeer,
  findK3d,
  imageOfBytes,
  k3dCreate,
  k3dDelete,
  k3dImport,
  k3dVoting,
  startToReady,
} from './container-peers.js'
import { type Claim, seconds } from './measure.js'

const NAME = 'bench'
/** The addons need images that an air-gapped bench does not bring, and they are the same for all. */
const DISABLED = ['traefik', 'metrics-server', 'local-storage', 'servicelb', 'coredns']
const IMPORT_BYTES = 200_000_000

interface Figures {
  readonly [what: string]: number[]
}

/** Clusters in local containers, beside a bare `docker run` of the same image and beside k3d where it is installed. */
export async function benchContainers(runs: number, k3s: K3sUnderTest): Promise<Claim[]> {
  const home = mkdtempSync(`${tmpdir()}/airlift-bench-`)
  const bundle = `${home}/k3s.airlift`
  const ours = figures('api', 'ready', 'oneOne', 'three', 'reset', 'import', 'add')
  const theirs = figures(
    ...['api', 'bare', 'oneOne', 'three', 'threeDone', 'reset', 'import', 'k3sItself', 'bareWorker'],
  )
  const call = async (...args: string[]): Promise<void> => {
    const result = await airlift([...args, '--name', NAME], { home })
    if (result.exitCode !== 0)
      throw new Error(`airlift ${args.join(' ')}: ${result.exitCode}\n${result.stderr}`)
  }
  // What the nodes are made of: at first the bundle, then the image that came of it, as the peers have it.
  let source = ['--rootfs', bundle]
  const create = (masters: number, workers: number, ...more: string[]): Promise<number> =>
    seconds(() =>
      call(
        'run',
        ...source,
        '--masters',
        String(masters),
        ...(workers > 0 ? ['--nodes', String(workers)] : []),
        '--set',
        `disable=${DISABLED.join(',')}`,
        ...more,
      ),
    )
  const reset = (): Promise<number> => seconds(() => call('reset', '--yes'))
  try {
    const { version, binary, images } = k3s
    const built = ['rootfs', 'build', '--runtime', 'k3s', '--version', version, '--binary', binary]
    const build = await airlift([...built, '--images', images, '--output', bundle], { home })
    if (build.exitCode !== 0) throw new Error(build.stderr)
    // The first run makes the node image, which all then use.
    await create(1, 0)
    const image = await imageOf(`airlift-${NAME}-master-0`)
    await reset()
    source = ['--image', image]
    const k3d = findK3d(image, DISABLED)
    const payload = await imageOfBytes(`${NAME}-payload`, IMPORT_BYTES)
    for (let i = 0; i < runs; i++) {
      ours.api?.push(await create(1, 0, '--wait', 'api'))
      ours.reset?.push(await reset())
      ours.ready?.push(await create(1, 0))
      await reset()
      theirs.bare?.push(await bareServer(image, DISABLED))
      ours.oneOne?.push(await create(1, 1))
      await reset()
      ours.three?.push(await create(3, 0))
      await reset()
      await create(1, 2)
      ours.import?.push(await seconds(() => call('image', 'import', payload)))
      theirs.bareWorker?.push(await bareWorker(image, `airlift-${NAME}`, `airlift-${NAME}-master-0`))
      ours.add?.push(await seconds(() => call('add', '--nodes', '1')))
      theirs.k3sItself?.push(await startToReady(`airlift-${NAME}-worker-2`, `airlift-${NAME}-master-0`))
      await reset()
      if (k3d) await besideK3d(k3d, payload, theirs)
      // A round takes minutes: one that is cut short has said what it found.
      console.error(`round ${i + 1} of ${runs}: ${lastOf(ours)} | ${lastOf(theirs)}`)
    }
  } finally {
    await airlift(['reset', '--yes', '--name', NAME], { home })
    await execa('docker', ['rmi', '-f', `${NAME}-payload`], { reject: false })
    rmSync(home, { recursive: true, force: true })
  }
  return claims(ours, theirs)
}

async function besideK3d(k3d: ContainerPeer, payload: string, theirs: Figures): Promise<void> {
  theirs.api?.push(await seconds(() => k3dCreate(k3d, NAME, 1, 0)))
  theirs.reset?.push(await seconds(() => k3dDelete(k3d, NAME)))
  theirs.oneOne?.push(await seconds(() => k3dCreate(k3d, NAME, 1, 1)))
  await k3dDelete(k3d, NAME)
  const done = await seconds(() => k3dCreate(k3d, NAME, 3, 0))
  theirs.threeDone?.push(done)
  theirs.three?.push(done + (await k3dVoting(NAME, 3)))
  await k3dDelete(k3d, NAME)
  await k3dCreate(k3d, NAME, 1, 2)
  theirs.import?.push(await seconds(() => k3dImport(k3d, NAME, payload)))
  await k3dDelete(k3d, NAME)
}

function figures(...names: string[]): Figures {
  return Object.fromEntries(names.map((name) => [name, [] as number[]]))
}

function lastOf(found: Figures): string {
  return Object.entries(found)
    .flatMap(([what, values]) => values.slice(-1).map((value) => `${what} ${value.toFixed(2)}`))
    .join(' ')
}

function claims(ours: Figures, theirs: Figures): Claim[] {
  const claim = (what: string, own: string, other: string, peer: string, limit?: number): Claim => ({
    what: `containers: ${what}`,
    ours: ours[own] ?? [],
    unit: 's',
    ...(theirs[other]?.length ? { theirs: theirs[other], peer, ...(limit ? { limit } : {}) } : {}),
  })
  return [
    claim('1 master to API up', 'api', 'api', 'k3d', 0.7),
    claim('1 master to Ready', 'ready', 'bare', 'bare docker run', 1.05),
    claim('1 + 1, all Ready', 'oneOne', 'oneOne', 'k3d (not all Ready)', 0.9),
    claim('3 masters, all Ready and voting', 'three', 'three', 'k3d, until the same', 0.8),
    claim('3 masters, all Ready and voting', 'three', 'threeDone', 'k3d, until it returns'),
    claim('reset', 'reset', 'reset', 'k3d cluster delete', 1),
    claim('image import of 200 MB into 3 nodes, verified', 'import', 'import', 'k3d image import', 0.6),
    claim('add a worker', 'add', 'bareWorker', 'bare docker run', 1.1),
    // Without what the engine needs to make and start a container.
    claim('add a worker', 'add', 'k3sItself', 'k3s alone, in a container that has started'),
  ]
}

async function imageOf(container: string): Promise<string> {
  const { stdout } = await execa('docker', ['inspect', '-f', '{{.Config.Image}}', container])
  return stdout.trim()
}
