import { quote } from '../../machine/quote.js'
import type { Action } from '../../plan/plan.js'
import { ASK_AS_ADMIN } from './ask-api.js'
import { handOverScript, MEMBERS, memberPattern } from './hand-over.js'
import { kubectl } from './kubectl.js'
import { HEALTHY } from './vote-script.js'

type Wait = Extract<Action, { kind: 'wait' }>

/** Lets no new pod onto a node. A node that is gone already is no error. */
export function cordonScript(name: string): string {
  const node = quote(name)
  return [
    `found=$(${kubectl(`get node ${node} -o name --ignore-not-found`)}) || fail E_COMMAND ${quote(`the API server did not answer for node ${name}`)} 'see airlift status'`,
    `[ -z "$found" ] || ${kubectl(`cordon ${node}`, 30)} >&2`,
  ].join('\n')
}

/** Deletes a Node. kubectl waits until k3s has taken the member out of etcd; the password is deleted too, should k3s not have done it. */
export function forgetScript(name: string): string {
  return [
    `${kubectl(`delete node ${quote(name)} --ignore-not-found`, 60)} >&2 || exit 1`,
    `${kubectl(`delete secret ${quote(`${name}.node-password.k3s`)} -n kube-system --ignore-not-found`, 60)} >&2`,
  ].join('\n')
}

/** {@link forgetScript}, and proof that Node and password are gone. A member of etcd first gives its leadership away. */
export function leaveScript(name: string, { member = false } = {}): string {
  const secret = `${name}.node-password.k3s`
  return [
    `( ${member ? `${handOverScript(name)}\n` : ''}${forgetScript(name)}\n) || fail E_COMMAND ${quote(`cannot delete node ${name} from the cluster`)} 'see airlift status, then run the same command again'`,
    `left=$(${kubectl(`get node ${quote(name)} -o name --ignore-not-found`)}; ${kubectl(`get secret ${quote(secret)} -n kube-system -o name --ignore-not-found`)})`,
    `[ -z "$left" ] || fail E_VERIFY ${quote(`the cluster still has what node ${name} left: `)}"$left" 'run the same command again'`,
  ].join('\n')
}

/** For scripts that have `api`. */
function healthyCheck(members: readonly string[]): string[] {
  return [
    HEALTHY,
    `[ "$(api /readyz)" = ok ] || { echo 'the API server is not ready'; exit 1; }`,
    `for node in ${members.map(quote).join(' ')}; do`,
    '  healthy "$node" || { echo "$node is not Ready, or no voting member of etcd"; exit 1; }',
    'done',
  ]
}

const nodesDiagnose = `${kubectl('get nodes -o wide')}; ${kubectl('get --raw /db/info')} | cut -c1-600`

/** Until these masters are Ready and voting members of etcd: only then may another one leave. */
export function waitMembersHealthy(members: readonly string[], timeoutMs: number): Wait {
  return {
    kind: 'wait',
    what: `the datastore to be healthy on ${members.join(', ')}`,
    script: [ASK_AS_ADMIN, ...healthyCheck(members)].join('\n'),
    timeoutMs,
    diagnose: nodesDiagnose,
  }
}

/**
 * Until etcd's own list of members is without a node, and those that stay are in it and healthy. k3s gives the list to callers
 * on the machine itself under /db/info.
 */
export function waitMemberGone(name: string, members: readonly string[], timeoutMs: number): Wait {
  return {
    kind: 'wait',
    what: `etcd to be without ${name}`,
    script: [
      ASK_AS_ADMIN,
      MEMBERS,
      `list=$(members); [ -n "$list" ] || { echo 'etcd does not tell its members'; exit 1; }`,
      `if printf '%s\\n' "$list" | grep -qE ${memberPattern(name)}; then echo ${quote(`etcd still has the member ${name}`)}; exit 1; fi`,
      // Asked without a majority, k3s names only itself.
      ...members.map(
        (node) =>
          `printf '%s\\n' "$list" | grep -qE ${memberPattern(node)} || { echo ${quote(`etcd does not list the member ${node}`)}; exit 1; }`,
      ),
      ...healthyCheck(members),
    ].join('\n'),
    timeoutMs,
    diagnose: nodesDiagnose,
  }
}
