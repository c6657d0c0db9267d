import { parse, stringify } from 'yaml'
import { AirliftError } from '../core/errors.js'

/** What a kubeconfig is made to say. */
export interface RetargetOptions {
  /** The cluster's name; cluster, user and context become `airlift-NAME`. */
  readonly name: string
  /** URL of the API server as it is reached from here: `https://10.0.0.1:6443`. */
  readonly server: string
}

/** One cluster, user and context of a kubeconfig. Holds the admin's key. */
export interface KubeconfigEntry {
  readonly name: string
  readonly cluster: Readonly<Record<string, string>>
  readonly user: Readonly<Record<string, string>>
}

/** The name of everything that a cluster has in a kubeconfig. */
export function contextName(cluster: string): string {
  return `airlift-${cluster}`
}

/**
 * Turns k3s' admin kubeconfig (k3s.yaml, where everything is called `default` and the server is 127.0.0.1) into one that
 * can live beside others and works from here. Only the current context is taken.
 *
 * @throws AirliftError E_KUBECONFIG when it is not a complete kubeconfig
 */
export async function retarget(text: string, options: RetargetOptions): Promise<string> {
  const name = contextName(options.name)
  const { cluster, user } = readEntry(text)
  return stringify(
    {
      apiVersion: 'v1',
      kind: 'Config',
      clusters: [{ name, cluster: { ...cluster, server: options.server } }],
      users: [{ name, user }],
      contexts: [{ name, context: { cluster: name, user: name } }],
      'current-context': name,
      preferences: {},
    },
    { version: '1.1', lineWidth: 0 },
  )
}

/** Reads the current context of a kubeconfig with its cluster and user. */
export function readEntry(text: string): KubeconfigEntry {
  let config: unknown
  try {
    config = parse(text, { schema: 'failsafe', prettyErrors: false })
  } catch (cause) {
    // The parser's own message may quote the file, which holds a key; so the cause stays out.
    throw broken(`it is not YAML (${(cause as { code?: string }).code ?? 'syntax'})`)
  }
  const root = asMap(config)
  const name = root['current-context']
  if (typeof name !== 'string' || name === '') throw broken('it has no current-context')
  const context = find(root, 'contexts', 'context', name)
  const cluster = find(root, 'clusters', 'cluster', String(context.cluster))
  const user = find(root, 'users', 'user', String(context.user))
  for (const [where, map, keys] of [
    ['cluster', cluster, ['server', 'certificate-authority-data']],
    ['user', user, ['client-certificate-data', 'client-key-data']],
  ] as const) {
    for (const key of keys) {
      if (typeof map[key] !== 'string' || map[key] === '') throw broken(`its ${where} has no ${key}`)
    }
  }
  return { name, cluster: texts(cluster), user: texts(user) }
}

function find(
  root: Record<string, unknown>,
  list: string,
  key: string,
  name: string,
): Record<string, unknown> {
  const items = Array.isArray(root[list]) ? root[list] : []
  const item = items.map(asMap).find((entry) => entry.name === name)
  if (item === undefined) throw broken(`it has no ${key} "${name}"`)
  return asMap(item[key])
}

function asMap(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
}

function texts(map: Record<string, unknown>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(map).filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
  )
}

function broken(reason: string): AirliftError {
  return new AirliftError('E_KUBECONFIG', `the cluster's kubeconfig cannot be used: ${reason}`, {
    hint: 'look at /etc/rancher/k3s/k3s.yaml on a master; k3s writes it anew when it starts',
  })
}
