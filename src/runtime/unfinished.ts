import { flagOf } from '../cluster/role-flag.js'
import type { ClusterSpec, NodeSpec } from '../cluster/spec.js'
import type { World } from './runtime.js'

/** Whether a container is empty: to start it is no use. Pure. */
export function isUnfinished({ engine }: Pick<World, 'engine'>, name: string): boolean {
  return engine?.unfinished?.includes(name) ?? false
}

/** What is told of such a container, and what the user can do about a node. Pure. */
export function aboutUnfinished(
  { name: cluster }: Pick<ClusterSpec, 'name'>,
  { role, target: { host } }: Pick<NodeSpec, 'role' | 'target'>,
): { readonly message: string; readonly hint: string } {
  const flag = flagOf(role)
  return {
    message: `the container ${host} was never finished: the command that made it was cut off`,
    hint: `run the same airlift run or add command again; or remove it: airlift delete --name ${cluster} ${flag} ${host}`,
  }
}
