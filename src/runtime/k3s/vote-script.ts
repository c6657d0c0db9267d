import type { ClusterSpec } from '../../cluster/spec.js'
import type { Action, Step } from '../../plan/plan.js'
import { CONDITION } from './ask-api.js'
import { K3S } from './paths.js'

/** Puts the members of etcd, as JSON on stdin, on a line each. */
export const EACH_MEMBER = `tr -d ' \\n\\t' | sed 's/},{/}\\n{/g'`

/** Defines `vote`, for scripts that have `api`: whether the Node on stdin, as JSON, has a member of etcd with a vote. */
export const VOTE = `vote() {
  member=$(tr -d ' \\n\\t' | sed -n 's/.*"etcd\\.k3s\\.cattle\\.io\\/node-name":"\\([^"]*\\)".*/\\1/p')
  [ -n "$member" ] || return 1
  it=$(api /db/info | ${EACH_MEMBER} | grep "\\"name\\":\\"$member\\"")
  case $it in '' | *'"isLearner":true'*) return 1 ;; esac
}`

/**
 * Defines `healthy NODE`, for scripts that have `api`: whether a master is Ready and a healthy member of etcd with a vote. k3s
 * notes late that a member has been given its vote; what else it notes, such as that the member is unhealthy, stands.
 */
export const HEALTHY = `${CONDITION}
${VOTE}
late() {
  noted=$(tr -d ' \\n\\t' | sed -n 's/.*"type":"EtcdIsVoter",\\([^}]*\\).*/\\1/p')
  case $noted in '' | *'"reason":"MemberIsLearner"'*) ;; *) return 1 ;; esac
}
healthy() {
  json=$(api "/api/v1/nodes/$1") && printf '%s' "$json" | condition Ready || return 1
  printf '%s' "$json" | condition EtcdIsVoter || { printf '%s' "$json" | late && printf '%s' "$json" | vote; }
}`

const TLS = `${K3S.dataDir}/server/tls/etcd`

/**
 * Defines `etcd PATH JSON`: asks the member of etcd on this machine through its gateway, which k3s opens on the loopback only,
 * next to the clients' port. Without curl, kubectl posts it: it takes any server and path. Seldom then, since it costs more.
 */
const ETCD = `etcd() {
  if command -v curl >/dev/null 2>&1; then
    printf '%s' "$2" | curl -sf -m 8 --noproxy '*' --cacert ${TLS}/server-ca.crt --cert ${TLS}/client.crt --key ${TLS}/client.key -d @- "https://127.0.0.1:2382$1" 2>/dev/null; rc=$?
    case $rc in 0|7|22|28|35|52|56) return $rc ;; esac
  fi
  nap 0.5
  printf '%s' "$2" | timeout 8 ${K3S.binary} kubectl --kubeconfig /dev/null --server https://127.0.0.1:2382 --certificate-authority ${TLS}/server-ca.crt --client-certificate ${TLS}/client.crt --client-key ${TLS}/client.key create --raw "$1" -f - 2>/dev/null
}`

/**
 * Asks for the vote of every learner, and succeeds once as many members vote as should. k3s asks for the same every 15 seconds
 * (pkg/etcd, manageLearners), until when the API server of the learner cannot start and no further master may join. etcd
 * refuses while a learner is not in sync with the leader, so that asking early does no harm.
 */
export function promoteScript(voters: number): string {
  return `${ETCD}
members=$(etcd /v3/cluster/member/list '{}' | ${EACH_MEMBER} | grep '"ID":"') || exit 1
for id in $(printf '%s\\n' "$members" | grep '"isLearner":true' | sed -n 's/.*"ID":"\\([0-9]*\\)".*/\\1/p'); do
  etcd /v3/cluster/member/promote "{\\"ID\\":\\"$id\\"}" >/dev/null
done
[ "$(printf '%s\\n' "$members" | grep -vc '"isLearner":true')" -ge ${voters} ]`
}

/**
 * The step that gives masters their vote as soon as they may have it, on one that has joined; none where nobody waits for
 * them. It only hurries what k3s does by itself.
 */
export function voteSteps(
  { wait, masters, timeoutMs }: Pick<ClusterSpec, 'wait' | 'masters' | 'timeoutMs'>,
  input: {
    /** Id of the machine that is asked. */
    readonly machine: string
    /** Its steps after which it can be asked. */
    readonly needs: readonly string[]
    /** Steps that wait for masters which join. */
    readonly joining: readonly string[]
  },
): Step[] {
  const { machine, needs, joining } = input
  if (wait === 'none' || joining.length === 0) return []
  const votes: Action = {
    kind: 'wait',
    what: 'every master to vote in etcd',
    script: promoteScript(masters.length),
    timeoutMs,
    diagnose: ':',
  }
  const title = 'give masters their vote in etcd'
  return [{ id: 'cluster/votes', machine, title, needs, assists: joining, actions: [votes] }]
}
