import { quote } from '../../machine/quote.js'
import { ASK_AS_ADMIN } from './ask-api.js'
import { kubectl } from './kubectl.js'
import { EACH_MEMBER } from './vote-script.js'

/**
 * What k3s' own controllers are led by, one each; the leader's host name is its holder (wrangler pkg/leader). Whoever holds
 * `k3s-etcd` takes members out of etcd, and lets their Nodes go.
 */
const LEASES = ['k3s', 'k3s-etcd']
/** So often, every 0.3 seconds, etcd is asked whether the member has left. */
const TRIES = 100

/** Defines `members`, for scripts that have `api`: names in etcd's list; a member's is that of its node and eight hexadecimal digits. */
export const MEMBERS = `members() { api /db/info | ${EACH_MEMBER} | sed -n 's/.*"name":"\\([^"]*\\)".*/\\1/p'; }`

/** Matches the names that a node has among the members. */
export const memberPattern = (node: string): string => quote(`^${node.replaceAll('.', '\\.')}-[0-9a-f]{8}$`)

/**
 * Deletes the Node of a master, and gives away the leadership that it cannot give away itself: once it is out of etcd its API
 * server writes nothing any more, so that its Node, and all else that those controllers do, would wait until the lease has run
 * out, 45 seconds. Never before it is out: until then it may be at work.
 */
export function handOverScript(name: string): string {
  const holder = (lease: string): string =>
    kubectl(`get lease ${lease} -n kube-system --ignore-not-found -o 'jsonpath={.spec.holderIdentity}'`)
  return [
    ASK_AS_ADMIN,
    MEMBERS,
    `${kubectl(`delete node ${quote(name)} --ignore-not-found --wait=false`, 30)} >&2 || exit 1`,
    'tries=0',
    `until list=$(members) && [ -n "$list" ] && ! printf '%s\\n' "$list" | grep -qE ${memberPattern(name)}; do`,
    `  tries=$((tries + 1)); [ "$tries" -lt ${TRIES} ] || { list=; break; }`,
    '  nap 0.3',
    'done',
    `[ -z "$list" ] || for lease in ${LEASES.join(' ')}; do`,
    `  [ "$(${holder('"$lease"')} | tr '[:upper:]' '[:lower:]')" != ${quote(name)} ] || ${kubectl(`patch lease "$lease" -n kube-system --type merge -p '{"spec":{"holderIdentity":null}}'`)} >&2`,
    'done',
  ].join('\n')
}
