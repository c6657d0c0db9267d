import { request } from 'node:https'
import type { ApiQuestion } from '../plan/plan.js'

/** Where an API is asked, and as whom. Holds the admin's key. */
export interface ApiAccess {
  readonly host: string
  readonly port: number
  readonly ca: Buffer
  readonly cert: Buffer
  readonly key: Buffer
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
  return ca && cert && key ? { ...place, ca, cert, key } : undefined
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
  if (error) return NO_WAY.has(error) ? 'no-way' : 'no'
  if (status === 401 || status === 403) return 'refused'
  if (status !== 200) return 'no'
  if (question.of === 'ready') return body.trim() === 'ok' ? 'yes' : 'no'
  return holds(body, question) ? 'yes' : 'no'
}

/** What the system says of an address that there is no way to. */
export const NO_WAY: ReadonlySet<string> = new Set([
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ETIMEDOUT',
  'EADDRNOTAVAIL',
])

interface KubeNode {
  readonly metadata?: { readonly labels?: Readonly<Record<string, string>> }
  readonly status?: { readonly conditions?: readonly { readonly type?: string; readonly status?: string }[] }
}

function holds(body: string, question: ApiQuestion): boolean {
  let node: KubeNode
  try {
    node = JSON.parse(body) as KubeNode
  } catch {
    return false
  }
  // k3s labels a master's own node right after its supervisor has begun to take nodes in.
  if (question.of === 'joinable')
    return node.metadata?.labels?.['node-role.kubernetes.io/control-plane'] === 'true'
  const conditions = node.status?.conditions ?? []
  return (question.conditions ?? ['Ready']).every((type) =>
    conditions.some((condition) => condition.type === type && condition.status === 'True'),
  )
}

/** What came back: `status` is 0 where nothing did, and `error` then says why. */
export interface Answer {
  readonly status: number
  readonly body: string
  readonly error?: string
}

/** Reads one path as the admin. @throws Error for keys that are not whole */
export function getApi({ host, port, ca, cert, key }: ApiAccess, path: string): Promise<Answer> {
  return new Promise((resolve) => {
    const call = request(
      {
        host,
        port,
        path,
        ca,
        cert,
        key,
        timeout: ANSWER_MS,
        // The authority is this cluster's own; the name may be that of a remote computer.
        checkServerIdentity: () => undefined,
        agent: false,
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
    call.on('error', (error: NodeJS.ErrnoException) =>
      resolve({ status: 0, body: '', error: error.code ?? 'ECONNRESET' }),
    )
    call.end()
  })
}
