import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { peakMemory } from '../lab/own-process.js'
import { reach } from './reach.js'

/** Run by the test in a process of its own: one file to so many machines at once; prints the most memory that it took, in MB. */
const [port, identity, transport, file, sha256, target, count] = process.argv.slice(2)
const { size } = await stat(file ?? '')
const machines = await Promise.all(
  Array.from({ length: Number(count) }, () =>
    reach({
      port: Number(port),
      flags: { identities: [identity ?? ''], hostKeys: 'off', transport: transport as 'ssh' | 'openssh' },
    }),
  ),
)
await Promise.all(
  machines.map((machine, index) =>
    machine.put({
      path: `${target}-${index}`,
      open: () => createReadStream(file ?? '', { highWaterMark: 1 << 20 }),
      sizeBytes: size,
      sha256: sha256 ?? '',
      mode: '0644',
    }),
  ),
)
await Promise.all(machines.map((machine) => machine.close()))
process.stdout.write(JSON.stringify({ peakMb: peakMemory() }))
