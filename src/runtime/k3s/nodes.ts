import { taintText } from '../../cluster/taint-text.js'
import { hasVote, votersOf } from '../etcd-voters.js'
import type { NodeStatus } from '../runtime.js'
import { DRAINED_LABEL } from './paths.js'

interface Condition {
  readonly type?: string
  readonly status?: string
  readonly reason?: string
  readonly message?: string
}

interface KubeNode {
  readonly metadata?: {
    readonly name?: string
    readonly labels?: Readonly<Record<string, string>>
    readonly annotations?: Readonly<Record<string, string>>
  }
  readonly spec?: {
    readonly unschedulable?: boolean
    readonly taints?: readonly { readonly key?: string; readonly value?: string; readonly effect?: string }[]
  }
  readonly status?: {
    readonly conditions?: readonly Condition[]
    readonly addresses?: readonly { readonly type?: string; readonly address?: string }[]
    readonly nodeInfo?: { readonly kubeletVersion?: string }
  }
}

/** Reads `kubectl get nodes -o json`, and who votes in etcd from `/db/info`. Text that is not a list of nodes gives none. */
export function parseNodes(json: string, members: string = ''): NodeStatus[] {
  let items: readonly KubeNode[]
  try {
    items = (JSON.parse(json) as { items?: KubeNode[] }).items ?? []
  } catch {
    // A call that was cut off by its deadline: the machine is then reported by its service.
    return []
  }
  const voters = votersOf(members)
  return items.map((node) => nodeStatus(node, voters)).sort((a, b) => (a.name < b.name ? -1 : 1))
}

/** Whether a node is known to the cluster under an address. */
export function isAt(node: NodeStatus, address: string | undefined): boolean {
  return node.address === address || (address !== undefined && node.addresses?.includes(address) === true)
}

function nodeStatus(node: KubeNode, voters: ReadonlySet<string>): NodeStatus {
  const labels = node.metadata?.labels ?? {}
  const conditions = node.status?.conditions ?? []
  const addresses = (node.status?.addresses ?? []).flatMap(({ type, address }) =>
    type === 'InternalIP' && address ? [address] : [],
  )
  const taints = (node.spec?.taints ?? []).map(({ key = '', value, effect = '' }) =>
    taintText({ key, value: value ?? '', effect }),
  )
  const asked = askedOf(node)
  const given = givenLabels(node, asked)
  const ready = conditions.find((condition) => condition.type === 'Ready')
  const noted = conditions.find((condition) => condition.type === 'EtcdIsVoter')
  // k3s notes late that a member has been given its vote.
  const late = noted === undefined || noted.reason === 'MemberIsLearner'
  const votes = noted?.status === 'True' || (late && hasVote(node.metadata?.annotations, voters))
  // Releases before 1.34 set `master` too; etcd-only masters have neither.
  const master = ['control-plane', 'master', 'etcd'].some(
    (role) => `node-role.kubernetes.io/${role}` in labels,
  )
  return {
    name: node.metadata?.name ?? '',
    role: master ? 'master' : 'worker',
    ready: ready?.status === 'True',
    version: node.status?.nodeInfo?.kubeletVersion ?? '',
    address: addresses[0] ?? '',
    ...(addresses.length > 1 ? { addresses } : {}),
    message:
      ready?.status === 'True'
        ? ''
        : [ready?.reason, ready?.message].filter(Boolean).join(': ') || 'not ready yet',
    ...(noted || votes ? { voter: votes } : {}),
    ...(node.spec?.unschedulable === true ? { cordoned: true as const } : {}),
    ...(DRAINED_LABEL in labels ? { drained: true as const } : {}),
    ...(taints.length > 0 ? { taints } : {}),
    ...(given.length > 0 ? { givenLabels: given } : {}),
    ...(asked ? { asked } : {}),
  }
}

/** What k3s was told to give a node when it was started; it notes its options there, those of files among them. */
function askedOf({ metadata }: KubeNode): NodeStatus['asked'] {
  const noted = metadata?.annotations?.['k3s.io/node-args']
  let words: unknown
  try {
    words = JSON.parse(noted ?? '')
  } catch {
    return undefined
  }
  if (!Array.isArray(words)) return undefined
  const valuesOf = (option: string): string[] =>
    words.flatMap((word, i): string[] => {
      if (word === option) return [String(words[i + 1] ?? '')]
      return String(word).startsWith(`${option}=`) ? [String(word).slice(option.length + 1)] : []
    })
  return { labels: valuesOf('--node-label'), taints: valuesOf('--node-taint') }
}

/** Those of the labels that it was told to have, that it still has. */
function givenLabels({ metadata }: KubeNode, asked: NodeStatus['asked']): string[] {
  const has = Object.entries(metadata?.labels ?? {}).map(([key, value]) => `${key}=${value}`)
  return asked?.labels.filter((label) => has.includes(label)) ?? []
}
