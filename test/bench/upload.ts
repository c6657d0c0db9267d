import { createHash } from 'node:crypto'
import { mkdtempSync, openSync, readSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { fileURLToPath } from 'node:url'
import { execa } from 'execa'
import { type Lab, type LabHost, labDown, labUp } from '../lab/lab.js'
import { runApart } from '../lab/own-process.js'
import { type Claim, seconds } from './measure.js'
import { stage } from './stage.js'

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
      ours.push(
        SIZE / 1e6 / (await stage({ machines, hosts: [host], blob: { file, sha256, sizeBytes: SIZE } })),
      )
    }
    // By itself: the loader that runs this takes memory, too.
    const fixture = fileURLToPath(new URL('stage-fixture.ts', import.meta.url))
    const eight = JSON.stringify({ machines, hosts: machines.hosts, blob: { file, sha256, sizeBytes: SIZE } })
    const peaks: number[] = []
    for (let i = 0; i < runs; i++) peaks.push((await runApart<{ peakMb: number }>(fixture, [eight])).peakMb)
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
        ours: [Math.max(...peaks)],
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

function digestOf(file: string): string {
  const hash = createHash('sha256')
  const fd = openSync(file, 'r')
  const buffer = Buffer.alloc(1 << 20)
  for (let n = readSync(fd, buffer); n > 0; n = readSync(fd, buffer)) hash.update(buffer.subarray(0, n))
  return hash.digest('hex')
}
