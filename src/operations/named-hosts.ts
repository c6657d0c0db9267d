import { isIP } from 'node:net'
import { filterNames, selectNodes } from '../cluster/filters.js'
import { machineKey } from '../cluster/host-conflicts.js'
import { isFilter } from '../cluster/node-words.js'
import type { ClusterSpec, MachineTarget, NodeSpec, Role } from '../cluster/spec.js'
import { hostsOf } from './node-names.js'

/** One word of --masters or --nodes. */
export interface NamedWord {
  readonly word: string
  /** Of its flag. */
  readonly role: Role
}

/** Hosts of words that need no look at a cluster. */
export interface NamedHosts {
  /** Those of the cluster's record, which are reached as it says. */
  readonly own: readonly NodeSpec[]
  /** Others, which are reached as the command says. */
  readonly others: readonly NodeSpec[]
}

/**
 * The hosts that words name, by what is remembered of a cluster of hosts; undefined where a word may be the name or the number
 * of a node, which only the cluster itself knows. Pure.
 */
export function namedHosts(words: readonly NamedWord[], known: ClusterSpec): NamedHosts | undefined {
  const nodes = [...known.masters, ...known.nodes]
  const views = nodes.map(({ role, target }) => ({ role, index: 0, names: filterNames(target) }))
  const own = new Set<NodeSpec>()
  const others: NodeSpec[] = []
  for (const { word, role } of words) {
    const named = isFilter(word) ? undefined : selectNodes(word, views)
    if (named?.ok) for (const place of named.indexes) own.add(nodes[place] as NodeSpec)
    else {
      const hosts = named ? hostsOf(word, role) : []
      if (!isCertainlyHost(word)) return undefined
      for (const host of hosts) {
        const key = machineKey(host.target, known.ssh.port)
        const same = nodes.find(({ target }) => machineKey(target, known.ssh.port) === key)
        // With another user it is the same machine all the same.
        if (same) own.add({ ...same, target: host.target })
        else others.push(host)
      }
    }
  }
  return { own: [...own], others }
}

/** Whether a word can name no node: it has a user, a port or an address. */
export function isCertainlyHost(word: string): boolean {
  const hosts = isFilter(word) ? [] : hostsOf(word, 'master')
  const certain = ({ kind, host, user, port }: MachineTarget): boolean =>
    kind === 'local' || user !== undefined || port !== undefined || isIP(host) !== 0
  return hosts.length > 0 && hosts.every(({ target }) => certain(target))
}
