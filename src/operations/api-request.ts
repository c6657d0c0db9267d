import { Agent, request } from 'node:https'
import type { ApiQuestion } from '../plan/plan.js'
import { hasVote, votersOf } from '../runtime/etcd-voters.js'

/** Where an API is asked, and as whom. Holds the admin's key. */
export interface ApiAccess {
  readonly host: string
  readonly port: number
  readonly ca: Buffer
  readonly cert: Buffer
  readonly key: Buffer
  /** The cluster's token without what goes before the password; the supervisor's own paths are asked with it. */
  readonly password?: string
  /** Keeps connections for the next question; they do not keep the process. */
  readonly agent: Agent
}

/** What came of one question. `no-way`: the address cannot be reached at all. `refused`: these keys are not taken. */
export type ApiAnswer = 'yes' | 'no' | 'no-way' | 'refused'

const ANSWER_MS = 3_000

/** Reads the keys of an admin kubeconfig; undefined while it is not whole. */
export function readAccess(
  kubeconfig: string,
  place: { readonly host: string; readonly port: number },
): ApiAccess | undefined {
  const read = (key: string): Buffer | undefined => {
    const found = new RegExp(`${key}:\\s*"?([A-Za-z0-9+/=]+)`).exec(kubeconfig)?.[1]
    return found ? Buffer.from(found, 'base64') : undefined
  }
  const ca = read('certificate-authority-data')
  const cert = read('client-certificate-data')
  const key = read('client-key-data')
  return ca && cert && key ? { ...place, ca, cert, key, agent: new Agent({ keepAlive: true }) } : undefined
}

/** Asks once. Never throws: an API that does not answer has said no. */
export async function askApi(access: ApiAccess, question: ApiQuestion): Promise<ApiAnswer> {
  const path = question.of === 'ready' ? '/readyz' : `/api/v1/nodes/${question.node}`
  let answer: Answer
  try {
    answer = await getApi(access, path)
  } catch {
    // Keys that are not whole: the file was read while k3s wrote it.
    return 'refused'
  }
  const { status, body, error } = answer
  if (error && STRANGER.test(error)) return 'refused'
  if (error) return NO_WAY.has(error) ? 'no-way' : 'no'
  if (status === 401 || status === 403) return 'refused'
  if (status !== 200) return 'no'
  if (question.of === 'ready') return body.trim() === 'ok' ? 'yes' : 'no'
  const node = readNode(body)
  return node && (await holds(node, question, access)) ? 'yes' : 'no'
}

/**
 * Members of etcd. It is the supervisor's, which tells it to itself and to those who have the server's token, but not to the
 * admin (k3s pkg/etcd, `IsLocalOrHasRole`).
 */
export const MEMBERS = '/db/info'

/** What the system says of an address that there is no way to. */
export const NO_WAY: ReadonlySet<string> = new Set([
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ETIMEDOUT',
  'EADDRNOTAVAIL',
])

/** What node says of a server that the authority did not sign: the master was made anew since its keys were read. */
export const STRANGER = /^(CERT_|UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_)/

interface KubeNode {
  readonly metadata?: {
    readonly labels?: Readonly<Record<string, string>>
    readonly annotations?: Readonly<Record<string, string>>
  }
  readonly status?: { readonly conditions?: readonly { readonly type?: string; readonly status?: string }[] }
}

function readNode(body: string): KubeNode | undefined {
  try {
    return JSON.parse(body) as KubeNode
  } catch {
    return undefined
  }
}

async function holds(node: KubeNode, question: ApiQuestion, access: ApiAccess): Promise<boolean> {
  // k3s labels a master's own node right after its supervisor has begun to take nodes in.
  if (question.of === 'joinable')
    return node.metadata?.labels?.['node-role.kubernetes.io/control-plane'] === 'true'
  const conditions = node.status?.conditions ?? []
  const missing = (question.conditions ?? ['Ready']).filter(
    (type) => !conditions.some((condition) => condition.type === type && condition.status === 'True'),
  )
  if (missing.length !== 1 || missing[0] !== 'EtcdIsVoter') return missing.length === 0
  // k3s notes late that a member has been given its vote.
  const { body } = await getApi(access, MEMBERS)
  return hasVote(node.metadata?.annotations, votersOf(body))
}

/** What came back: `status` is 0 where nothing did, and `error` then says why. */
export interface Answer {
  readonly status: number
  readonly body: string
  readonly error?: string
}

/** Reads one path, as the admin or, where that may not, as a server. @throws Error for keys that are not whole */
export function getApi(access: ApiAccess, path: string): Promise<Answer> {
  const { host, port, ca, cert, key, agent, password } = access
  const who = path === MEMBERS && password ? { auth: `server:${password}` } : { cert, key }
  return new Promise((resolve) => {
    const call = request(
      {
        host,
        port,
        path,
        ca,
        ...who,
        timeout: ANSWER_MS,
        // The authority is this cluster's own; the name may be that of a remote computer.
        checkServerIdentity: () => undefined,
        agent,
      },
      (response) => {
        const chunks: Buffer[] = []
        response.on('data', (chunk: Buffer) => chunks.push(chunk))
        response.on('end', () =>
          resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString('utf8') }),
        )
        response.on('error', () => resolve({ status: 0, body: '', error: 'ECONNRESET' }))
      },
    )
    call.on('timeout', () => call.destroy(Object.assign(new Error('timed out'), { code: 'ETIMEDOUT' })))
    call.on('error', (error: NodeJS.ErrnoException) => {
      // A kept connection to a master that was restarted since says nothing of the master.
      if (call.reusedSocket && error.code === 'ECONNRESET') resolve(getApi(access, path))
      else resolve({ status: 0, body: '', error: error.code ?? 'ECONNRESET' })
    })
    call.end()
  })
}
