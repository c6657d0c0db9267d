import { AirliftError } from '../core/errors.js'
import type { Machine, RunResult } from '../machine/machine.js'
import { STATE_DIR } from '../machine/state-paths.js'
import type { StageBlob } from '../plan/plan.js'
import type { BlobSource } from './manifest.js'

const STORE = `${STATE_DIR}/blobs`
const AGAIN = 'run the same command again: what has arrived is kept'

/** The error that the end of the staging script stands for. */
export function stageError(
  machine: Machine,
  blobs: readonly StageBlob[],
  source: BlobSource,
  result: RunResult,
): AirliftError {
  const line = result.stdout.split('\n').findLast((text) => text.startsWith('@@fail ')) ?? ''
  const [, word, first = '', second = ''] = line.split(' ')
  const blob = blobs[Number(first)]
  const what = blob ? source.describeBlob(blob.sha256) : 'a file'
  const log = result.stderr.trim().split('\n').filter(Boolean).slice(-3)
  const details = { machine: machine.name, log }
  switch (word) {
    case 'full': {
      const needed = Number(first) || blobs.reduce((sum, each) => sum + each.sizeBytes, 0)
      const free = second === '' ? '' : `, and ${mebibytes(Number(second))} are free`
      return new AirliftError('E_DISK_FULL', `no room in ${STORE}: ${mebibytes(needed)} are needed${free}`, {
        ...details,
        hint: `free some space below /var/lib and ${AGAIN}`,
        data: { neededBytes: needed, ...(second === '' ? {} : { freeBytes: Number(second) }) },
      })
    }
    case 'readonly':
      return new AirliftError('E_READ_ONLY', `cannot write to ${STORE}: the file system is read-only`, {
        ...details,
        hint: 'mount /var/lib read-write',
      })
    case 'digest':
      return new AirliftError(
        'E_DIGEST_MISMATCH',
        `${what} arrived as sha256 ${second}, not ${blob?.sha256}`,
        {
          ...details,
          hint: 'check the network, the disk and the memory of the machine, and run the same command again',
          data: { sha256: blob?.sha256, found: second },
        },
      )
    case 'short':
      return new AirliftError(
        'E_SSH_LOST',
        `${what} was cut off after ${second} of ${blob?.sizeBytes} bytes`,
        {
          ...details,
          hint: AGAIN,
        },
      )
    case 'tool':
      return new AirliftError('E_COMMAND', `the machine has no usable ${first}`, {
        ...details,
        hint: 'install coreutils on the machine',
      })
    case 'E_LOCKED': {
      const hint = result.stdout.split('\n').findLast((text) => text.startsWith('@@hint '))
      return new AirliftError('E_LOCKED', line.slice('@@fail E_LOCKED '.length), {
        machine: machine.name,
        ...(hint ? { hint: hint.slice('@@hint '.length) } : {}),
      })
    }
    default:
      return new AirliftError('E_COMMAND', `cannot write to ${STORE} (exit ${result.exitCode})`, {
        ...details,
        hint: 'look at the last lines above for what the machine said',
      })
  }
}

function mebibytes(bytes: number): string {
  return `${Math.ceil(bytes / (1 << 20))} MiB`
}
