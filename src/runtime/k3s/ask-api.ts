import { K3S } from './paths.js'

const TLS = `${K3S.dataDir}/server/tls`

/**
 * Shell functions that ask the API on the machine itself. Waits ask several times a second, on machines that are busy
 * starting: curl costs a tenth of the processor time of `k3s kubectl` (10 ms against 160 ms), so it is used where the host has
 * it. Where it cannot do what is asked, kubectl is asked: only an answer of the server, or none, is taken from curl.
 */

/** `fetch URL PATH CA CERT KEY KUBECONFIG`: prints the answer, and fails where the server refuses or does not answer. */
const FETCH = `fetch() {
  if [ -r "$5" ] && command -v curl >/dev/null 2>&1; then
    curl -sf -m 8 --noproxy '*' --cacert "$3" --cert "$4" --key "$5" "$1$2" 2>/dev/null; rc=$?
    case $rc in 0|7|22|28|35|52|56) return $rc ;; esac
  fi
  timeout 8 ${K3S.binary} kubectl --kubeconfig "$6" get --raw "$2" 2>/dev/null
}`

/**
 * Defines `api PATH` on a master: asks its own API server as the admin. The shell itself reads where that is, which `bind-address`
 * and `https-listen-port` change.
 */
export const ASK_AS_ADMIN = `${FETCH}
whereabouts() {
  [ -s ${K3S.kubeconfig} ] || return 1
  while read -r key url; do [ "$key" != server: ] || break; done <${K3S.kubeconfig}
}
api() {
  whereabouts || return 1
  fetch "$url" "$1" ${TLS}/server-ca.crt ${TLS}/client-admin.crt ${TLS}/client-admin.key ${K3S.kubeconfig}
}`

/** Defines `api PATH` on a worker: asks with the kubelet's own credentials, through the agent's load balancer. */
export const ASK_AS_KUBELET = `${FETCH}
api() {
  [ -s ${K3S.kubeletKubeconfig} ] || return 1
  url= ca= cert= keys=
  while read -r key value || [ -n "$key" ]; do
    case $key in
      server:) url=$value ;;
      certificate-authority:) ca=$value ;;
      client-certificate:) cert=$value ;;
      client-key:) keys=$value ;;
    esac
  done <${K3S.kubeletKubeconfig}
  fetch "$url" "$1" "$ca" "$cert" "$keys" ${K3S.kubeletKubeconfig}
}`

/** `condition TYPE` tells on stdin's Node, as JSON, whether the condition is true. The server prints `type` before `status`. */
export const CONDITION = `condition() { tr -d ' \\n\\t' | grep -q "\\"type\\":\\"$1\\",\\"status\\":\\"True\\""; }`

/**
 * Defines `joinable`: whether the supervisor of this master takes nodes in. It listens long before; a node that asks then is
 * sent away with 503 "runtime core not ready" and comes again only 5 to 10 seconds later (k3s pkg/agent/config, Get). Without
 * curl, the labels of the master's own node tell: k3s sets them right after it has begun to take nodes in.
 */
export function askJoinable(node: string): string {
  return `${ASK_AS_ADMIN}
joinable() {
  [ -s ${K3S.dataDir}/server/token ] && whereabouts || return 1
  if command -v curl >/dev/null 2>&1; then
    code=$(printf 'user = "node:%s"\\n' "$(sed 's/^K10.*::[^:]*://' ${K3S.dataDir}/server/token)" | curl -s -m 5 --noproxy '*' --cacert ${TLS}/server-ca.crt -K - -o /dev/null -w '%{http_code}' "$url/v1-k3s/readyz" 2>/dev/null)
    case $code in 200) return 0 ;; 503|000) return 1 ;; esac
  fi
  api /api/v1/nodes/${node} | tr -d ' \\n\\t' | grep -q '"node-role.kubernetes.io/control-plane":"true"'
}`
}
