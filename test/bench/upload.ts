import { createHash } from 'node:crypto'
import { createReadStream, mkdtempSync, openSync, readSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { execa } from 'execa'
import { createContext } from '../../src/core/context.js'
import { createConnector } from '../../src/machine/connect.js'
import type { Machine } from '../../src/machine/machine.js'
import { createSecretSource } from '../../src/machine/ssh/secret-source.js'
import type { BlobSource } from '../../src/rootfs/manifest.js'
import { stageBlobs } from '../../src/rootfs/stage.js'
import { type Lab, type LabHost, labDown, labUp } from '../lab/lab.js'
import { type Claim, seconds } from './measure.js'

const NAME = 'bench-upload'
const SIZE = 400_000_000

/** One 400 MB blob to one host, beside `ssh host 'cat > f'` in turns; then to eight hosts at once with the memory it takes. */
export async function benchUpload(runs: number): Promise<Claim[]> {
  const dir = mkdtempSync(`${tmpdir()}/airlift-upload-`)
  const file = `${dir}/blob`
  try {
    await execa('sh', ['-c', `head -c ${SIZE} /dev/urandom > ${file}`])
    const sha256 = digestOf(file)
    const machines = await labUp(NAME, 8)
    const [host] = machines.hosts
    if (!host) throw new Error('the lab has no hosts')
    const ours: number[] = []
    const theirs: number[] = []
    for (let i = 0; i < runs; i++) {
      theirs.push(SIZE / 1e6 / (await seconds(() => cat(machines, host, file))))
      ours.push(SIZE / 1e6 / (await stage(machines, [host], file, sha256)))
    }
    const rss: number[] = []
    await stage(machines, machines.hosts, file, sha256, rss)
    return [
      {
        what: 'a 400 MB blob to one host, verified',
        ours,
        theirs,
        peer: "ssh host 'cat > f'",
        unit: 'MB/s',
        limit: 0.9,
        atLeast: true,
      },
      {
        what: 'memory while sending it to eight hosts',
        ours: [Math.max(...rss) / 1e6],
        unit: 'MB',
        limit: 200,
        absolute: true,
      },
    ]
  } finally {
    await labDown(NAME)
    rmSync(dir, { recursive: true, force: true })
  }
}

async function cat(machines: Lab, host: LabHost, file: string): Promise<void> {
  await execa('sh', [
    '-c',
    `ssh -i ${machines.key} -o UserKnownHostsFile=${machines.knownHosts} root@${host.ip} 'cat > /var/lib/f' < ${file}`,
  ])
  await execa('ssh', [
    '-i',
    machines.key,
    '-o',
    `UserKnownHostsFile=${machines.knownHosts}`,
    `root@${host.ip}`,
    'rm /var/lib/f',
  ])
}

/** Seconds from connecting to the last verified byte. */
async function stage(
  machines: Lab,
  hosts: readonly LabHost[],
  file: string,
  sha256: string,
  rss: number[] = [],
): Promise<number> {
  const ctx = createContext()
  const ssh = {
    identities: [machines.key],
    knownHosts: machines.knownHosts,
    hostKeys: 'accept-new',
    askPass: false,
    askSudoPass: false,
    sudo: 'auto',
    transport: 'auto',
  } as const
  const connector = createConnector(
    ssh,
    ctx,
    createSecretSource({}, async () => undefined),
  )
  const source: BlobSource = {
    openBlob: () => createReadStream(file, { highWaterMark: 1 << 20 }),
    describeBlob: () => 'blob',
  }
  const watch = setInterval(() => rss.push(process.memoryUsage.rss()), 50)
  try {
    const machines: Machine[] = []
    const spent = await seconds(() =>
      Promise.all(
        hosts.map(async (host) => {
          const machine = await connector.connect({ kind: 'ssh', text: host.ip, host: host.ip, user: 'root' })
          machines.push(machine)
          const blob = { sha256, sizeBytes: SIZE, name: 'blob' }
          await stageBlobs(machine, [blob], source, { signal: ctx.signal, onProgress: () => {} })
        }),
      ),
    )
    // The peer removes its file outside its time, too.
    await Promise.all(machines.map((machine) => machine.run('rm -rf /var/lib/airlift')))
    return spent
  } finally {
    clearInterval(watch)
    await connector.close()
  }
}

function digestOf(file: string): string {
  const hash = createHash('sha256')
  const fd = openSync(file, 'r')
  const buffer = Buffer.alloc(1 << 20)
  for (let n = readSync(fd, buffer); n > 0; n = readSync(fd, buffer)) hash.update(buffer.subarray(0, n))
  return hash.digest('hex')
}
