import { readFileSync } from 'node:fs'
import type { MachineTarget } from '../cluster/spec.js'
import { AirliftError } from '../core/errors.js'
import { createFakeMachine, type FakeReply } from '../machine/fake/fake-machine.js'
import type { Machine } from '../machine/machine.js'
import { createSecretSource } from '../machine/ssh/secret-source.js'
import type { OperationDeps } from './session.js'

const recorded = readFileSync(
  new URL('../machine/facts/golden/debian-systemd.probe.txt', import.meta.url),
  'utf8',
)

/** What a host says of itself. */
export interface HostAnswer {
  /** How far its clock is ahead. */
  readonly aheadMs?: number
  /** What airlift has noted there. */
  readonly record?: Readonly<Record<string, unknown>>
}

/** The recorded answer with another host name and with the clock of now, so that machines differ as real ones do. */
export function hostAnswer(hostname: string, { aheadMs = 0, record }: HostAnswer = {}): string {
  const now = `${BigInt(Date.now() + aheadMs) * 1_000_000n}`
  const noted = record ? `<record\tfence\n${JSON.stringify(record)}\n>fence\n` : ''
  return recorded
    .replace(/^hostname\t.*$/m, `hostname\t${hostname}`)
    .replace(/^machineId\t.*$/m, `machineId\t${Buffer.from(hostname).toString('hex').padEnd(32, '0')}`)
    .replace(/^clock\t.*$/m, `clock\t${now}`)
    .replace(/^clockEnd\t.*$/m, `${noted}clockEnd\t${now}`)
}

/** Hosts that were connected to, and what an operation needs to do so. */
export interface HostLab {
  readonly deps: OperationDeps
  readonly connected: readonly string[]
}

/** Hosts that answer as told, by address; an error is one of connecting. There is no container engine. */
export function hostLab(replies: Readonly<Record<string, FakeReply | AirliftError>>): HostLab {
  const connected: string[] = []
  const deps: OperationDeps = {
    secrets: createSecretSource({}, async () => undefined),
    connectEngine: async () => {
      throw new AirliftError('E_ENGINE_UNREACHABLE', 'no container engine answers')
    },
    createConnector: () => ({
      engine: () => Promise.reject(new Error('no engine is expected')),
      connect: async (target: MachineTarget): Promise<Machine> => {
        const reply = replies[target.host]
        connected.push(target.host)
        if (reply instanceof AirliftError) throw reply
        return createFakeMachine({
          id: `ssh://root@${target.host}:22`,
          name: target.text,
          on: [{ match: /probe\(\)|left\(\)/, reply: reply ?? '' }],
        })
      },
      close: async () => {},
    }),
  }
  return { deps, connected }
}
