import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { execa, execaSync } from 'execa'
import { seconds } from './measure.js'

/** k3d, with the image that all sides use. */
export interface ContainerPeer {
  readonly binary: string
  readonly image: string
  readonly args: readonly string[]
}

/** k3d where AIRLIFT_K3D names it or the PATH has it. Its helper images are those that its own variables name. */
export function findK3d(image: string, disabled: readonly string[]): ContainerPeer | undefined {
  const binary = process.env.AIRLIFT_K3D ?? 'k3d'
  if (execaSync(binary, ['version'], { reject: false }).exitCode !== 0) {
    console.log('k3d is not installed (AIRLIFT_K3D): no figures beside it')
    return undefined
  }
  return { binary, image, args: disabled.flatMap((name) => ['--k3s-arg', `--disable=${name}@server:*`]) }
}

/** `k3d cluster create` without its load balancer, which would cost it another six seconds. */
export async function k3dCreate(
  peer: ContainerPeer,
  name: string,
  masters: number,
  workers: number,
): Promise<void> {
  const size = ['--servers', String(masters), '--agents', String(workers)]
  await execa(peer.binary, ['cluster', 'create', name, ...size, '--no-lb', '-i', peer.image, ...peer.args])
}

/** Seconds until all masters of a k3d cluster are what ours are when they are done: Ready, and members of etcd that vote. */
export function k3dVoting(name: string, masters: number): Promise<number> {
  const asked = '{range .items[*]}{range .status.conditions[?(@.status=="True")]}{.type}{"\\n"}{end}{end}'
  const ask = ['exec', `k3d-${name}-server-0`, 'kubectl', 'get', 'nodes', '-o', `jsonpath=${asked}`]
  const count = (text: string, type: string): number =>
    text.split('\n').filter((line) => line === type).length
  const allVote = (said: string): boolean =>
    count(said, 'Ready') === masters && count(said, 'EtcdIsVoter') === masters
  return seconds(() => untilSaid(ask, allVote, 200))
}

/** Seconds from `docker run` of one more worker of a cluster until its node is Ready; it is gone again afterwards. */
export async function bareWorker(image: string, network: string, master: string): Promise<number> {
  const name = 'bench-bare-worker'
  const read = ['exec', master, 'cat', '/var/lib/rancher/k3s/server/node-token']
  const { stdout: token } = await execa('docker', read)
  const join = ['-e', `K3S_URL=https://${master}:6443`, '-e', `K3S_TOKEN=${token.trim()}`]
  try {
    return await bareNode(name, ['--network', network, ...join], [image, 'agent'], master)
  } finally {
    await execa('docker', ['exec', master, 'kubectl', 'delete', 'node', name], { reject: false })
  }
}

export async function k3dDelete(peer: ContainerPeer, name: string): Promise<void> {
  await execa(peer.binary, ['cluster', 'delete', name])
}

export async function k3dImport(peer: ContainerPeer, name: string, image: string): Promise<void> {
  await execa(peer.binary, ['image', 'import', image, '-c', name])
}

/** Seconds from `docker run` of one server until its node is Ready; it is gone again afterwards. */
export function bareServer(image: string, disabled: readonly string[]): Promise<number> {
  const name = 'bench-bare'
  const disable = disabled.map((addon) => `--disable=${addon}`)
  return bareNode(name, [], [image, 'server', ...disable], name)
}

/** Seconds from `docker run` of a node until the kubectl of a master shows it Ready. Its container is gone afterwards. */
async function bareNode(
  name: string,
  flags: readonly string[],
  command: readonly string[],
  master: string,
): Promise<number> {
  const run = ['run', '-d', '--privileged', '--name', name, '--hostname', name, ...flags]
  const ask = ['exec', master, 'kubectl', 'get', 'node', name, '--no-headers']
  try {
    return await seconds(async () => {
      await execa('docker', [...run, '--tmpfs', '/run', '--tmpfs', '/var/run', ...command])
      await untilSaid(ask, (said) => / Ready /.test(said), 100)
    })
  } finally {
    await execa('docker', ['rm', '-f', '-v', name], { reject: false })
  }
}

/** Asks docker again and again until what it prints fits. */
async function untilSaid(
  ask: readonly string[],
  fits: (said: string) => boolean,
  everyMs: number,
): Promise<void> {
  while (!fits((await execa('docker', ask, { reject: false })).stdout)) await sleep(everyMs)
}

/** Seconds that k3s itself needed: from the start of a worker's container to the moment its node says it became Ready. */
export async function startToReady(worker: string, master: string): Promise<number> {
  const started = await execa('docker', ['inspect', '-f', '{{.State.StartedAt}}', worker])
  const path = '{.status.conditions[?(@.type=="Ready")].lastTransitionTime}'
  const ready = await execa('docker', [
    'exec',
    master,
    'kubectl',
    'get',
    'node',
    worker,
    '-o',
    `jsonpath=${path}`,
  ])
  // Kubernetes tells whole seconds, cut: on average half a second is missing.
  return (Date.parse(ready.stdout) - Date.parse(started.stdout)) / 1000 + 0.5
}

/** An image with so many bytes that do not compress, in the engine. */
export async function imageOfBytes(ref: string, bytes: number): Promise<string> {
  const dir = mkdtempSync(`${tmpdir()}/airlift-payload-`)
  try {
    await execa('sh', [
      '-c',
      `head -c ${bytes} /dev/urandom > ${dir}/data && tar -C ${dir} -c data | docker import - ${ref}:1`,
    ])
    return `${ref}:1`
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
}
