import { quote } from '../../machine/quote.js'
import type { Action } from '../../plan/plan.js'
import { K3S } from './paths.js'

type Wait = Extract<Action, { kind: 'wait' }>

const kubectl = (rest: string, seconds = 10): string => `timeout ${seconds} ${K3S.binary} kubectl ${rest}`

/** How one node is drained. */
export interface DrainOptions {
  readonly timeoutMs: number
  /** Goes on when pods do not leave in time. */
  readonly force: boolean
  /** Whether the node's kubelet still reports; one that does not will never confirm that a pod has ended. */
  readonly alive: boolean
}

/** Lets no new pod onto a node. A node that is gone already is no error. */
export function cordonScript(name: string): string {
  const node = quote(name)
  return [
    `found=$(${kubectl(`get node ${node} -o name --ignore-not-found`)}) || fail E_COMMAND ${quote(`the API server did not answer for node ${name}`)} 'see airlift status'`,
    `[ -z "$found" ] || ${kubectl(`cordon ${node}`, 30)} >&2`,
  ].join('\n')
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
  if (options.force) {
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
  const stays = `${name} stays cordoned and is otherwise unchanged`
  return [
    ...present,
    `out=$(${drain('', seconds)}) && exit 0`,
    `printf '%s\\n' "$out" | tail -n 12 | cut -c1-300 | sed 's/^/@@log /'`,
    'case $out in',
    "*'disruption budget'*)",
    `  pods=$(printf '%s\\n' "$out" | sed -n 's/.*when evicting pod[s]*\\/"\\([^"]*\\)" -n "\\([^"]*\\)".*/\\2\\/\\1/p' | sort -u | head -n 5 | tr '\\n' ' ')`,
    `  fail E_DRAIN ${quote(`node ${name} is not drained after ${seconds}s: a PodDisruptionBudget forbids evicting `)}"$pods" ${quote(`${stays}; give its pods another place or change the budget and run the same command again, wait longer with --drain-timeout, or delete them with --force; to keep the node: k3s kubectl uncordon ${name}`)} ;;`,
    "*'declare no controller'*)",
    `  pods=$(printf '%s\\n' "$out" | sed -n 's/.*declare no controller[^:]*: \\(.*\\)/\\1/p' | head -n 1 | sed 's/, continuing command.*//')`,
    `  fail E_DRAIN ${quote(`node ${name} has pods without a controller, which nothing would start elsewhere: `)}"$pods" ${quote(`${stays}; move them, or delete them with --force; to keep the node: k3s kubectl uncordon ${name}`)} ;;`,
    '*)',
    `  fail E_DRAIN ${quote(`node ${name} is not drained after ${seconds}s: `)}"$(printf '%s' "$out" | tail -n 1)" ${quote(`${stays}; run the same command again, wait longer with --drain-timeout, or use --force; to keep the node: k3s kubectl uncordon ${name}`)} ;;`,
    'esac',
  ].join('\n')
}

/** Deletes a Node. kubectl waits until k3s has taken the member out of etcd; the password is deleted too, should k3s not have done it. */
export function forgetScript(name: string): string {
  return [
    `${kubectl(`delete node ${quote(name)} --ignore-not-found`, 60)} >&2 || exit 1`,
    `${kubectl(`delete secret ${quote(`${name}.node-password.k3s`)} -n kube-system --ignore-not-found`, 60)} >&2`,
  ].join('\n')
}

/** {@link forgetScript}, and proof that Node and password are gone. */
export function leaveScript(name: string): string {
  const secret = `${name}.node-password.k3s`
  return [
    `( ${forgetScript(name)}\n) || fail E_COMMAND ${quote(`cannot delete node ${name} from the cluster`)} 'see airlift status, then run the same command again'`,
    `left=$(${kubectl(`get node ${quote(name)} -o name --ignore-not-found`)}; ${kubectl(`get secret ${quote(secret)} -n kube-system -o name --ignore-not-found`)})`,
    `[ -z "$left" ] || fail E_VERIFY ${quote(`the cluster still has what node ${name} left: `)}"$left" 'run the same command again'`,
  ].join('\n')
}

/** Conditions of a master that is a full member: `True True`. */
const HEALTHY = `jsonpath={.status.conditions[?(@.type=="Ready")].status} {.status.conditions[?(@.type=="EtcdIsVoter")].status}`

function healthyCheck(members: readonly string[]): string[] {
  return [
    `[ "$(${kubectl('get --raw /readyz')} 2>/dev/null)" = ok ] || { echo 'the API server is not ready'; exit 1; }`,
    `for node in ${members.map(quote).join(' ')}; do`,
    `  [ "$(${kubectl(`get node "$node" -o ${quote(HEALTHY)}`)} 2>/dev/null)" = 'True True' ] || { echo "$node is not Ready, or no voting member of etcd"; exit 1; }`,
    'done',
  ]
}

const nodesDiagnose = `${kubectl('get nodes -o wide')}; ${kubectl('get --raw /db/info')} | cut -c1-600`

/** Until these masters are Ready and voting members of etcd: only then may another one leave. */
export function waitMembersHealthy(members: readonly string[], timeoutMs: number): Wait {
  return {
    kind: 'wait',
    what: `the datastore to be healthy on ${members.join(', ')}`,
    script: healthyCheck(members).join('\n'),
    timeoutMs,
    diagnose: nodesDiagnose,
  }
}

/**
 * Until etcd's own list of members is without a node, and those that stay are in it and healthy. k3s gives the list to callers
 * on the machine itself under /db/info; a member's name is that of its node and eight hexadecimal digits.
 */
export function waitMemberGone(name: string, members: readonly string[], timeoutMs: number): Wait {
  const pattern = (node: string): string => quote(`^${node.replaceAll('.', '\\.')}-[0-9a-f]{8}$`)
  return {
    kind: 'wait',
    what: `etcd to be without ${name}`,
    script: [
      `info=$(${kubectl('get --raw /db/info')} 2>/dev/null) || { echo 'etcd does not tell its members'; exit 1; }`,
      `list=$(printf '%s' "$info" | tr ',{' '\\n\\n' | sed -n 's/^ *"name": *"\\([^"]*\\)".*/\\1/p')`,
      `if printf '%s\\n' "$list" | grep -qE ${pattern(name)}; then echo ${quote(`etcd still has the member ${name}`)}; exit 1; fi`,
      // Asked without a majority, k3s names only itself.
      ...members.map(
        (node) =>
          `printf '%s\\n' "$list" | grep -qE ${pattern(node)} || { echo ${quote(`etcd does not list the member ${node}`)}; exit 1; }`,
      ),
      ...healthyCheck(members),
    ].join('\n'),
    timeoutMs,
    diagnose: nodesDiagnose,
  }
}
