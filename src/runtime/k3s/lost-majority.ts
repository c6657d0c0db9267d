import type { ClusterSpec } from '../../cluster/spec.js'
import { AirliftError } from '../../core/errors.js'
import type { MachineWorld, World } from '../runtime.js'
import { nodeName } from './config.js'
import { mastersOf } from './first-master.js'
import { K3S } from './paths.js'

/**
 * What etcd on a master says of itself: `{"health":"false","reason":"RAFT NO LEADER"}` without a majority. It listens on
 * loopback without TLS, beside its metrics (k3s pkg/etcd: ListenMetricsURLs http://127.0.0.1:2381). kubectl tells nothing
 * of an answer that is not 200, so without curl the metrics are asked.
 */
export const ETCD_HEALTH = `[ -d ${K3S.dataDir}/server/db/etcd ] || exit 0
at=http://127.0.0.1:2381
if command -v curl >/dev/null 2>&1; then curl -s -m 5 --noproxy '*' $at/health 2>/dev/null
else timeout 5 ${K3S.binary} kubectl --server $at get --raw /metrics 2>/dev/null | grep '^etcd_server_has_leader 0' >/dev/null && echo NO LEADER; fi
:`

/**
 * Refuses to wait for what cannot come: no master answers, etcd says that it has no leader, and fewer masters than a majority
 * still have its data, because the others were wiped. Only a person can decide to give up what the lost ones knew. Pure.
 * @throws AirliftError E_REFUSED (exit 5)
 */
export function requireMajority(spec: ClusterSpec, world: World): void {
  const minority = minorityOf(spec, world)
  if (!minority) return
  const { masters, having, members } = minority
  const leaderless = having.find(isLeaderless)
  if (!leaderless) return
  const lost = masters.filter((machine) => !hasData(machine)).map(nodeName)
  const name = nodeName(leaderless)
  // k3s refuses to reset a master whose configuration names another one.
  const joined = (leaderless.facts.managed.fragments['k3s-server'] ?? '').trim() !== ''
  const service = (op: 'stop' | 'start'): string =>
    leaderless.facts.init === 'openrc' ? `rc-service k3s ${op}` : `systemctl ${op} k3s`
  throw new AirliftError(
    'E_REFUSED',
    `etcd of "${spec.name}" has lost its majority: ${having.length} of ${members} masters still ${having.length === 1 ? 'has' : 'have'} its data`,
    {
      machine: leaderless.name,
      hint: `bring ${lost.join(', ') || 'the lost masters'} back with the data of etcd, or go on with what ${name} has: there run "${service('stop')}; k3s server --cluster-reset${joined ? ' --server=' : ''}; ${service('start')}${lost.length > 0 ? `; k3s kubectl delete node ${lost.join(' ')}` : ''}", then the same command again`,
    },
  )
}

/**
 * What is not known yet: fewer masters than a majority have the data, and k3s on them is about to start again (it ends where it
 * loses its majority, and systemd waits 5 seconds), so that etcd says nothing for a moment. Words for who is waited for. Pure.
 */
export function unknownMajority(spec: ClusterSpec, world: World): string | undefined {
  const minority = minorityOf(spec, world)
  if (!minority || minority.having.some(isLeaderless)) return undefined
  const starting = minority.having.find(({ installed }) => installed.active && installed.initialized)
  return starting && `etcd of ${nodeName(starting)} to say whether it has a majority`
}

/** Masters of which too few have the data of etcd. */
export interface Minority {
  readonly masters: readonly MachineWorld[]
  /** Those that have the data of etcd: not more than half of the members. */
  readonly having: readonly MachineWorld[]
  readonly members: number
}

/** Where no master answers, and the data of too few members is left; undefined otherwise. */
export function minorityOf(spec: ClusterSpec, world: World): Minority | undefined {
  const masters = mastersOf(spec, world)
  if (masters.some(({ installed }) => installed.apiReady)) return undefined
  const having = masters.filter(hasData)
  const members = Math.max(masters.length, ...masters.map(recordedMasters))
  return having.length > members / 2 ? undefined : { masters, having, members }
}

/** Whether etcd on a master says that there is no majority. */
export function isLeaderless({ facts }: MachineWorld): boolean {
  return /NO LEADER/.test(facts.managed.fragments['k3s-etcd'] ?? '')
}

function hasData({ facts }: MachineWorld): boolean {
  return (facts.managed.fragments['k3s-datastore'] ?? '').includes('etcd')
}

/** How many masters the cluster had when this one was last told. */
function recordedMasters({ facts }: MachineWorld): number {
  const masters = facts.managed.record?.masters
  return Array.isArray(masters) ? masters.length : 0
}
