import { quote } from '../../machine/quote.js'
import type { Action, Step } from '../../plan/plan.js'
import { ASK_AS_ADMIN, ASK_AS_KUBELET, askJoinable } from './ask-api.js'
import { diagnoseScript } from './diagnose.js'
import { kubectl } from './kubectl.js'
import { DRAINED_LABEL, STARTING } from './paths.js'
import { poll, waitApi, waitMasterReady, waitSystem } from './waits.js'

type Wait = Extract<Action, { kind: 'wait' }>

/** Notes when a host's node is started, for {@link waitFreshNode}. */
export const MARK_START = `date -u +%Y-%m-%dT%H:%M:%SZ > ${STARTING}`

/** Scripts that print, as ISO time, when the node was last started: from a mark on a host, from PID 1 of a container. */
export const STARTED = {
  host: `cat ${STARTING} 2>/dev/null`,
  container: [
    // The kernel counts in hundredths of a second since boot; field 22 is the start, 20 of what follows the name.
    `ticks=$(sed 's/.*) //' /proc/1/stat | awk '{ print $20 }')`,
    `date -u -d "@$(awk -v t="$ticks" '/^btime/ { print int($2 + t / 100) }' /proc/stat)" +%Y-%m-%dT%H:%M:%SZ`,
  ].join('\n'),
} as const

/** Until a master that was started again takes nodes in: workers can then be started. It has data, so nothing is begun anew. */
export function waitJoinableAgain(node: string, timeoutMs: number): Wait {
  return {
    kind: 'wait',
    what: 'the master to take nodes in',
    ...poll('k3s', `${askJoinable(node)}\njoinable && exit 0`),
    timeoutMs,
    diagnose: diagnoseScript('k3s'),
  }
}

/** Prints the time of the last report of a Node, as JSON on stdin, that is Ready. */
const HEARTBEAT = `tr -d ' \\n\\t' | tr '{}' '\\n\\n' | grep '"type":"Ready"' | grep '"status":"True"' | sed -n 's/.*"lastHeartbeatTime":"\\([^"]*\\)".*/\\1/p'`

/**
 * Until a node is Ready by its own word since it was started. The cluster remembers what every node said before the stop,
 * and nobody marks it as gone while all are down: only a report that is younger than the start counts.
 */
export function waitFreshNode(input: {
  readonly node: string
  readonly role: 'master' | 'worker'
  /** One of {@link STARTED}. */
  readonly started: string
  readonly timeoutMs: number
}): Wait {
  const unit = input.role === 'master' ? 'k3s' : 'k3s-agent'
  return {
    kind: 'wait',
    what: `node ${input.node} to be Ready again`,
    ...poll(
      unit,
      [
        input.role === 'master' ? ASK_AS_ADMIN : ASK_AS_KUBELET,
        `since=$(${input.started})`,
        `said=$(api /api/v1/nodes/${input.node} | ${HEARTBEAT})`,
        // Times of one form compare as text.
        `[ -n "$said" ] && awk -v a="$said" -v b="$since" 'BEGIN { exit !(a "" >= b "") }' && exit 0`,
      ].join('\n'),
    ),
    timeoutMs: input.timeoutMs,
    diagnose: diagnoseScript(unit),
  }
}

/** What is waited for on one machine after its start, as `--wait` says. */
export function startWaits(input: {
  readonly node: string
  readonly role: 'master' | 'worker'
  /** A member of embedded etcd. */
  readonly voter: boolean
  readonly started: string
  readonly wait: 'none' | 'api' | 'nodes' | 'system'
  readonly timeoutMs: number
}): Action[] {
  const { node, role, voter, wait, timeoutMs } = input
  if (wait === 'none' || (wait === 'api' && role === 'worker')) return []
  const api = role === 'master' ? [waitApi(timeoutMs)] : []
  if (wait === 'api') return api
  const member = role === 'master' && voter ? [waitMasterReady(node, true, timeoutMs)] : []
  return [...api, ...member, waitFreshNode(input)]
}

/** The steps that end a start, on the master that is asked: workers that were drained are used again, system pods waited for. */
export function finishSteps(input: {
  /** Id of the master's machine. */
  readonly machine: string
  /** Its step after which the API answers. */
  readonly needs: readonly string[]
  /** Workers that are known to have been drained; undefined while the cluster cannot be asked. */
  readonly drained: readonly string[] | undefined
  readonly wait: 'none' | 'api' | 'nodes' | 'system'
  readonly timeoutMs: number
}): Step[] {
  const { machine, needs, drained, wait, timeoutMs } = input
  const steps: Step[] = []
  if (drained ? drained.length > 0 : wait !== 'none') {
    steps.push({
      id: 'cluster/uncordon',
      machine,
      title: 'let drained workers be used again',
      needs,
      ...(drained ? { effect: 'change' as const } : {}),
      actions: [{ kind: 'script', script: uncordonScript(), timeoutMs: 120_000 }],
    })
  }
  if (wait === 'system')
    steps.push({
      id: 'cluster/system',
      machine,
      title: 'wait for the system pods',
      needs,
      // A cluster that was there before has them all, or none.
      actions: [waitSystem(timeoutMs, [])],
    })
  return steps
}

/** Only nodes that `stop --drain` marked: one that the user cordoned stays as it is. */
function uncordonScript(): string {
  const names = quote('jsonpath={.items[*].metadata.name}')
  return [
    `nodes=$(${kubectl(`get nodes -l ${DRAINED_LABEL}=stop -o ${names}`, 30)}) || exit 1`,
    'for node in $nodes; do',
    `  ${kubectl('uncordon "$node"', 30)} >&2 && ${kubectl(`label node "$node" ${DRAINED_LABEL}-`, 30)} >&2 || exit 1`,
    'done',
  ].join('\n')
}
