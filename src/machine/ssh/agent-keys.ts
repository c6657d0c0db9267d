import { createConnection } from 'node:net'

/** A key that an agent holds. */
export interface AgentKey {
  readonly blob: Buffer
  readonly comment: string
}

const REQUEST_IDENTITIES = 11
const IDENTITIES_ANSWER = 12
const TIMEOUT_MS = 5_000

/**
 * The keys of the agent behind a socket, in its order (draft-miller-ssh-agent); none when nobody answers, as ssh does.
 * ssh2 can ask an agent too, but drops keys of types that it cannot verify, and those decide about the transport.
 */
export function listAgentKeys(socketPath: string): Promise<readonly AgentKey[]> {
  return new Promise((resolve) => {
    const socket = createConnection(socketPath)
    let data = Buffer.alloc(0)
    const finish = (keys: readonly AgentKey[]): void => {
      socket.destroy()
      resolve(keys)
    }
    socket.setTimeout(TIMEOUT_MS, () => finish([]))
    socket.on('error', () => finish([]))
    socket.on('close', () => finish([]))
    socket.on('connect', () => socket.write(Buffer.from([0, 0, 0, 1, REQUEST_IDENTITIES])))
    socket.on('data', (chunk: Buffer) => {
      data = Buffer.concat([data, chunk])
      if (data.length < 4 || data.length < 4 + data.readUInt32BE(0)) return
      finish(parseAnswer(data.subarray(4)))
    })
  })
}

/** The keys of an SSH_AGENT_IDENTITIES_ANSWER; none when it is something else or cut. */
export function parseAnswer(message: Buffer): readonly AgentKey[] {
  if (message.length < 5 || message[0] !== IDENTITIES_ANSWER) return []
  const keys: AgentKey[] = []
  let at = 5
  const next = (): Buffer | undefined => {
    if (at + 4 > message.length) return undefined
    const length = message.readUInt32BE(at)
    const end = at + 4 + length
    if (end > message.length) return undefined
    const value = message.subarray(at + 4, end)
    at = end
    return value
  }
  const count = message.readUInt32BE(1)
  for (let i = 0; i < count; i++) {
    const blob = next()
    const comment = next()
    if (!blob || !comment) return keys
    keys.push({ blob: Buffer.from(blob), comment: comment.toString('utf8') })
  }
  return keys
}
