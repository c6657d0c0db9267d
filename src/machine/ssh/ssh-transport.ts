import type { Client, ClientChannel } from 'ssh2'
import { AirliftError } from '../../core/errors.js'
import type { MachineProcess, ProcessExit, Transport } from '../session/process.js'
import { interactOverSsh } from './interact.js'

/** A process that ended may leave children that hold its output open; its output is over when it was silent for so long. */
const LINGER_MS = 1_000

/** What opens a connection that is ready for channels. */
export type Dial = () => Promise<Client>

/** A transport that can be told to connect before there is something to run. */
export interface SshTransport extends Transport {
  /** @throws what the dial throws */
  connect(): Promise<void>
}

/** Processes over one ssh2 connection, which is made when it is first needed and made again when it was lost. */
export function createSshTransport(dial: Dial, name: string): SshTransport {
  let current: Promise<Client> | undefined
  let closed = false

  const connection = async (): Promise<Client> => {
    if (closed) throw new AirliftError('E_INTERNAL', 'the machine was closed', { machine: name })
    if (current) return current
    const attempt = dial()
    current = attempt
    const forget = (): void => {
      if (current === attempt) current = undefined
    }
    try {
      const client = await attempt
      client.on('close', forget)
      client.on('end', forget)
      client.on('error', forget)
      return client
    } catch (error) {
      forget()
      throw error
    }
  }

  return {
    async connect() {
      await connection()
    },
    async start(command) {
      const client = await connection()
      try {
        return toProcess(client, await openChannel(client, command))
      } catch (cause) {
        // The connection had died without our noticing. Nothing has run yet, so a new one does no harm.
        if (!isDead(cause) || closed) throw lostError(name, cause)
        if (current) client.destroy()
        current = undefined
        const fresh = await connection()
        return toProcess(
          fresh,
          await openChannel(fresh, command).catch((error) => Promise.reject(lostError(name, error))),
        )
      }
    },
    interact: async (command, tty) => interactOverSsh(await connection(), command, tty),
    async close() {
      closed = true
      const client = await current?.catch(() => undefined)
      client?.end()
    },
  }
}

function lostError(machine: string, cause: unknown): AirliftError {
  const reason = cause instanceof Error ? cause.message : String(cause)
  return new AirliftError('E_SSH_LOST', `cannot open a channel: ${reason}`, {
    machine,
    hint: 'run the same command again; if it stays, look at MaxSessions in sshd_config on the machine',
    cause,
  })
}

/** Whether a failed channel means that the whole connection is gone. */
function isDead(error: unknown): boolean {
  return (
    error instanceof Error && /not connected|no response from server|keepalive|ended/i.test(error.message)
  )
}

function openChannel(client: Client, command: string): Promise<ClientChannel> {
  return new Promise((resolve, reject) => {
    client.exec(command, (error, channel) => (error ? reject(error) : resolve(channel)))
  })
}

function toProcess(client: Client, channel: ClientChannel): MachineProcess {
  let status: ProcessExit | undefined
  const exit = new Promise<ProcessExit>((resolve) => {
    let timer: NodeJS.Timeout | undefined
    const linger = (): void => {
      clearTimeout(timer)
      timer = setTimeout(() => {
        channel.close()
        if (status) resolve(status)
      }, LINGER_MS)
    }
    let reason = 'the machine closed it'
    const onError = (error: Error): void => {
      reason = error.message
    }
    client.on('error', onError)
    channel.on('exit', (code: number | null, signal?: string) => {
      status = code === null ? { kind: 'signal', signal: signal ?? 'SIGKILL' } : { kind: 'code', code }
      channel.on('data', linger)
      linger()
    })
    channel.on('close', () => {
      clearTimeout(timer)
      client.off('error', onError)
      resolve(status ?? { kind: 'lost', reason })
    })
  })
  return {
    stdin: channel,
    stdout: channel,
    stderr: channel.stderr,
    exit,
    drop: () => {
      try {
        channel.signal('KILL')
      } catch {
        // The channel is already closed, which is what was wanted.
      }
      channel.close()
    },
  }
}
