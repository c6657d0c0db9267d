import { quote } from '../../machine/quote.js'
import { kubectl } from './kubectl.js'

/** What a user may do about a drain that does not end, by what keeps the pods; for hints. */
export interface DrainAdvice {
  /** A PodDisruptionBudget. */
  readonly budget: string
  /** Nothing would start them elsewhere. */
  readonly bare: string
  /** Time, or anything else. */
  readonly late: string
}

/** How one node is drained. */
export interface DrainOptions {
  readonly timeoutMs: number
  /** Goes on when pods do not leave in time; whoever drains without it says what may be done. */
  readonly otherwise: 'force' | DrainAdvice
  /** Whether the node's kubelet still reports; one that does not will never confirm that a pod has ended. */
  readonly alive: boolean
}

/** How long the script of a drain may take: what the pods may, and what is asked before and after. */
export function drainLimitMs({ timeoutMs }: DrainOptions): number {
  return timeoutMs + 150_000
}

/**
 * Empties a node by evictions, so that PodDisruptionBudgets are respected. Pods of DaemonSets stay, since they would come
 * back at once; what lies in emptyDir volumes goes with the pod, as it would in any eviction.
 */
export function drainScript(name: string, options: DrainOptions): string {
  const seconds = Math.max(1, Math.ceil(options.timeoutMs / 1000))
  const skip = options.alive ? '' : ' --skip-wait-for-delete-timeout=1'
  const drain = (more: string, limit: number): string =>
    `${kubectl(`drain ${quote(name)} --ignore-daemonsets --delete-emptydir-data${skip} ${more} --timeout=${limit}s`, limit + 30)} 2>&1`
  const present = [
    `found=$(${kubectl(`get node ${quote(name)} -o name --ignore-not-found`)}) || fail E_COMMAND ${quote(`the API server did not answer for node ${name}`)} 'see airlift status'`,
    '[ -n "$found" ] || exit 0',
  ]
  if (options.otherwise === 'force') {
    const late = `node ${name}: its pods did not leave within ${seconds}s and are deleted, whatever a PodDisruptionBudget says`
    return [
      ...present,
      `out=$(${drain('--force', seconds)}) && exit 0`,
      `printf '@@note %s\\n' ${quote(late)}`,
      `out=$(${drain(`--force --disable-eviction --grace-period=10${options.alive ? ' --skip-wait-for-delete-timeout=15' : ''}`, 30)}) && exit 0`,
      `printf '@@note %s\\n' ${quote(`node ${name}: not all of its pods have ended`)}": $(printf '%s' "$out" | tail -n 1)"`,
      'exit 0',
    ].join('\n')
  }
  const { budget, bare, late } = options.otherwise
  return [
    ...present,
    `out=$(${drain('', seconds)}) && exit 0`,
    `printf '%s\\n' "$out" | tail -n 12 | cut -c1-300 | sed 's/^/@@log /'`,
    'case $out in',
    "*'disruption budget'*)",
    `  pods=$(printf '%s\\n' "$out" | sed -n 's/.*when evicting pod[s]*\\/"\\([^"]*\\)" -n "\\([^"]*\\)".*/\\2\\/\\1/p' | sort -u | head -n 5 | tr '\\n' ' ')`,
    `  fail E_DRAIN ${quote(`node ${name} is not drained after ${seconds}s: a PodDisruptionBudget forbids evicting `)}"$pods" ${quote(budget)} ;;`,
    "*'declare no controller'*)",
    `  pods=$(printf '%s\\n' "$out" | sed -n 's/.*declare no controller[^:]*: \\(.*\\)/\\1/p' | head -n 1 | sed 's/, continuing command.*//')`,
    `  fail E_DRAIN ${quote(`node ${name} has pods without a controller, which nothing would start elsewhere: `)}"$pods" ${quote(bare)} ;;`,
    '*)',
    `  fail E_DRAIN ${quote(`node ${name} is not drained after ${seconds}s: `)}"$(printf '%s' "$out" | tail -n 1)" ${quote(late)} ;;`,
    'esac',
  ].join('\n')
}
