import { machineKey } from '../cluster/host-conflicts.js'
import { parseHostList } from '../cluster/host-list.js'
import type { ClusterSpec, MachineTarget, NodeSpec, Role } from '../cluster/spec.js'
import { AirliftError } from '../core/errors.js'
import type { MachineWorld } from '../runtime/runtime.js'

/** Reads hosts as a record holds them. */
export async function nodesOf(hosts: readonly string[], role: Role): Promise<NodeSpec[]> {
  if (hosts.length === 0) return []
  const refuse = async (path: string): Promise<string> => {
    throw new AirliftError('E_HOST_INVALID', `a record names the file ${path} instead of hosts`)
  }
  const { targets } = await parseHostList(hosts.join(','), { flag: 'the record' }, refuse)
  return targets.map((target) => ({ target, role, labels: {}, taints: [] }))
}

/** A machine that was looked at, as far as it takes to know it again in a record. */
export type LookedAt = Pick<MachineWorld, 'id' | 'node' | 'facts'>

/**
 * The spec with the machines that records name and it does not. A record may call a machine that was looked at by another name
 * than the command did: an alias of ~/.ssh/config, a name instead of the address. That is no machine more. Pure.
 *
 * @param belongs - the machines of this cluster that were looked at
 */
export async function withRecorded(
  spec: ClusterSpec,
  belongs: readonly MachineWorld[],
): Promise<ClusterSpec> {
  const port = spec.ssh.port ?? 22
  const keys = new Set([...spec.masters, ...spec.nodes].map((node) => machineKey(node.target, port)))
  for (const machine of belongs) for (const key of keysOf(machine, port)) keys.add(key)
  const own = new Set(belongs.map(({ facts }) => facts.managed.record?.host))
  const isNew = ({ target }: NodeSpec): boolean =>
    target.kind !== 'local' && !own.has(target.text) && !keys.has(machineKey(target, port))
  const added = async (list: 'masters' | 'nodes', role: Role): Promise<NodeSpec[]> => {
    const texts = belongs.flatMap(({ facts: { managed } }): unknown[] => {
      const recorded = managed.record?.[list]
      return Array.isArray(recorded) ? recorded : []
    })
    const hosts = new Set(texts.filter((text) => typeof text === 'string'))
    return (await nodesOf([...hosts], role)).filter(isNew)
  }
  const masters = [...spec.masters, ...(await added('masters', 'master'))]
  return { ...spec, masters, nodes: [...spec.nodes, ...(await added('nodes', 'worker'))] }
}

/** Whether a list of a record names a machine. */
export async function names(
  recorded: unknown,
  machine: LookedAt,
  spec: Pick<ClusterSpec, 'ssh'>,
): Promise<boolean> {
  if (!Array.isArray(recorded)) return false
  const port = spec.ssh.port ?? 22
  const keys = new Set([machineKey(machine.node.target, port), ...keysOf(machine, port)])
  const texts = recorded.filter((text) => typeof text === 'string')
  if (texts.some((text) => text === machine.facts.managed.record?.host)) return true
  return (await nodesOf(texts, 'master')).some(({ target }) => keys.has(machineKey(target, port)))
}

/** Every host and port that leads to a machine: as its id has them, and its own name and addresses at the port that was used. */
export function keysOf({ id, node, facts }: LookedAt, defaultPort: number): string[] {
  const at = (host: string, port: number | undefined): string => {
    const target: MachineTarget = { kind: 'ssh', text: host, host, ...(port === undefined ? {} : { port }) }
    return machineKey(target, defaultPort)
  }
  // The id has what ~/.ssh/config makes of an alias: ssh://root@10.0.0.1:22, ssh://root@[fd00::1]:22
  const resolved = /^ssh:\/\/(?:.*@)?(?:\[(.+)\]|([^[\]]+)):(\d+)$/.exec(id)
  const host = resolved?.[1] ?? resolved?.[2]
  const hosts = [facts.hostname, ...facts.addresses.map(({ address }) => address)]
  return [
    ...(host === undefined ? [] : [at(host, Number(resolved?.[3]))]),
    ...hosts.map((name) => at(name, node.target.port)),
  ]
}
