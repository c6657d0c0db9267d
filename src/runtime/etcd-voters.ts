/** Annotation of a Node that says which member of etcd is on it (k3s pkg/etcd, NodeNameAnnotation). */
const MEMBER = 'etcd.k3s.cattle.io/node-name'

interface Member {
  readonly name?: string
  readonly isLearner?: boolean
}

/**
 * Names of the members of etcd that have a vote, from the supervisor's `/db/info`. k3s itself notes that on the Nodes only
 * every 15 seconds (manageTickerTime). Text that is no such answer gives none.
 */
export function votersOf(info: string): ReadonlySet<string> {
  try {
    const members = (JSON.parse(info) as { members?: readonly Member[] }).members ?? []
    return new Set(members.flatMap(({ name, isLearner }) => (name && !isLearner ? [name] : [])))
  } catch {
    return new Set()
  }
}

/** Whether the member on a Node, told by its annotations, has a vote. */
export function hasVote(
  annotations: Readonly<Record<string, string>> | undefined,
  voters: ReadonlySet<string>,
): boolean {
  return voters.has(annotations?.[MEMBER] ?? '')
}
