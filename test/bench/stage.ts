import { createReadStream } from 'node:fs'
import { createContext } from '../../src/core/context.js'
import { createConnector } from '../../src/machine/connect.js'
import type { Machine } from '../../src/machine/machine.js'
import { createSecretSource } from '../../src/machine/ssh/secret-source.js'
import type { BlobSource } from '../../src/rootfs/manifest.js'
import { stageBlobs } from '../../src/rootfs/stage.js'
import type { Lab, LabHost } from '../lab/lab.js'
import { seconds } from './measure.js'

/** A file that is to be on hosts of a lab. */
export interface StageJob {
  readonly machines: Lab
  readonly hosts: readonly LabHost[]
  readonly blob: { readonly file: string; readonly sha256: string; readonly sizeBytes: number }
}

/** Seconds from connecting to the last verified byte. */
export async function stage({ machines, hosts, blob }: StageJob): Promise<number> {
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
    openBlob: () => createReadStream(blob.file, { highWaterMark: 1 << 20 }),
    describeBlob: () => 'blob',
  }
  try {
    const connected: Machine[] = []
    const spent = await seconds(() =>
      Promise.all(
        hosts.map(async (host) => {
          const machine = await connector.connect({ kind: 'ssh', text: host.ip, host: host.ip, user: 'root' })
          connected.push(machine)
          const { sha256, sizeBytes } = blob
          await stageBlobs(machine, [{ sha256, sizeBytes, name: 'blob' }], source, {
            signal: ctx.signal,
            onProgress: () => {},
          })
        }),
      ),
    )
    // The peer removes its file outside its time, too.
    await Promise.all(connected.map((machine) => machine.run('rm -rf /var/lib/airlift')))
    return spent
  } finally {
    await connector.close()
  }
}
