import type { ClusterSpec } from '../../cluster/spec.js'
import { quote } from '../../machine/quote.js'
import { INITIALIZED } from '../../machine/state-paths.js'
import type { Action } from '../../plan/plan.js'
import { ASK_AS_ADMIN, ASK_AS_KUBELET, askJoinable, CONDITION } from './ask-api.js'
import { beforeScript, diagnoseScript, fatalScript } from './diagnose.js'
import { kubectl } from './kubectl.js'
import { K3S } from './paths.js'
import { VOTE } from './vote-script.js'

type Wait = Extract<Action, { kind: 'wait' }>

/**
 * The scripts of a wait. Looks for a hopeless log every fourth poll, which costs less than the polls themselves, and once more when
 * time is up (`late`).
 */
export function poll(unit: string, check: string): Required<Pick<Wait, 'script' | 'before'>> {
  return {
    before: beforeScript(unit),
    script: `${fatalScript(unit)}\n${check}\nif [ $((n % 4)) = 3 ] || [ -n "\${late:-}" ]; then fatal; fi\nexit 1`,
  }
}

/**
 * A first start that dies between etcd's own start and the saving of the cluster's keys never recovers: k3s then loops for
 * ever. A node that has never been ready holds nothing that could be lost, so its server directory is begun anew, once.
 */
function recoverBootstrap(unit: string): NonNullable<Wait['recover']> {
  return {
    title: 'an interrupted first start left a datastore that cannot recover: beginning it anew',
    when: `[ ! -f ${INITIALIZED} ] && { journalctl -u ${unit} -n 40 --no-pager -o cat 2>/dev/null; tail -n 40 /var/log/${unit}.log 2>/dev/null; } | grep -q 'no bootstrap data found'`,
    script: [
      `if [ -d /run/systemd/system ]; then systemctl kill --signal=KILL ${unit}; timeout 20 systemctl stop ${unit}; else rc-service ${unit} stop; fi`,
      `rm -rf ${K3S.dataDir}/server/db ${K3S.dataDir}/server/tls ${K3S.dataDir}/server/cred ${K3S.dataDir}/server/token ${K3S.dataDir}/server/node-token`,
      // A rotated journal would hide the new start; a mark in it does not: what follows is judged by its own lines.
      `if [ -d /run/systemd/system ]; then systemctl reset-failed ${unit} 2>/dev/null; systemctl start --no-block ${unit}; else : > /var/log/${unit}.log; rc-service ${unit} start; fi`,
    ].join('\n'),
  }
}

/** Until the supervisor of a master takes nodes in: others can then be started. */
export function waitJoinable(node: string, timeoutMs: number): Wait {
  return {
    kind: 'wait',
    what: 'the master to take nodes in',
    ...poll('k3s', `${askJoinable(node)}\njoinable && exit 0`),
    timeoutMs,
    diagnose: diagnoseScript('k3s'),
    recover: recoverBootstrap('k3s'),
  }
}

/** Until the API server of a master says that it is ready. */
export function waitApi(timeoutMs: number): Wait {
  return {
    kind: 'wait',
    what: 'the API server to be ready',
    ...poll('k3s', `${ASK_AS_ADMIN}\n[ "$(api /readyz)" = ok ] && exit 0`),
    timeoutMs,
    diagnose: diagnoseScript('k3s'),
    recover: recoverBootstrap('k3s'),
  }
}

/** Until a master's own node is Ready; with `voter`, also a full member of etcd. */
export function waitMasterReady(node: string, voter: boolean, timeoutMs: number): Wait {
  const member = voter
    ? ' && { printf \'%s\' "$json" | condition EtcdIsVoter || printf \'%s\' "$json" | vote; }'
    : ''
  return {
    kind: 'wait',
    what: `node ${node} to be Ready${voter ? ' and a voting member of etcd' : ''}`,
    ...poll(
      'k3s',
      `${ASK_AS_ADMIN}\n${CONDITION}\n${voter ? `${VOTE}\n` : ''}json=$(api /api/v1/nodes/${node}) && printf '%s' "$json" | condition Ready${member} && exit 0`,
    ),
    timeoutMs,
    diagnose: `${kubectl(`get node ${quote(node)} -o ${quote('jsonpath={range .status.conditions[*]}{.type}={.status} {.message}{"\\n"}{end}')}`)}; ${diagnoseScript('k3s')}`,
  }
}

/** Until a worker's node is Ready, asked with the kubelet's own credentials: no other machine takes part. */
export function waitWorkerReady(node: string, timeoutMs: number): Wait {
  return {
    kind: 'wait',
    what: `node ${node} to be Ready`,
    ...poll(
      'k3s-agent',
      `${ASK_AS_KUBELET}\n${CONDITION}\napi /api/v1/nodes/${node} | condition Ready && exit 0`,
    ),
    timeoutMs,
    diagnose: diagnoseScript('k3s-agent'),
  }
}

/** Only when time is up: a pull that fails is tried again, and may go well. */
const UNPULLED = [
  'if [ -n "${late:-}" ]; then',
  `  pod=$(${kubectl('get pods -n kube-system --no-headers')} 2>/dev/null | awk '$3 ~ /^(Init:)?(ErrImagePull|ImagePullBackOff)$/ { print $1; exit }')`,
  `  [ -z "$pod" ] || { printf '@@fail E_TIMEOUT %s\\n@@hint %s\\n' "the image of the pod $pod cannot be pulled" "see why: k3s kubectl describe pod -n kube-system $pod; a bundle brings images with it, registries.yaml says where else they are"; exit 11; }`,
  'fi',
].join('\n')

/**
 * Until the Deployments of kube-system are available. k3s makes them one after the other, that of traefik by a job of its own:
 * those that are there are not all of them yet.
 *
 * @param wanted - which have to be there; absent: any one, where it is not known what was disabled
 */
export function waitSystem(timeoutMs: number, wanted?: readonly string[]): Wait {
  const path =
    '{range .items[*]}{.metadata.name}={.status.conditions[?(@.type=="Available")].status}{"\\n"}{end}'
  const missing =
    wanted === undefined
      ? '[ -n "$out" ] || return 1'
      : wanted
          .map(
            (name) =>
              `printf '%s\\n' "$out" | grep -qx ${name}=True || { echo 'not available: ${name}'; return 1; }`,
          )
          .join('\n')
  return {
    kind: 'wait',
    what: 'the Deployments of kube-system',
    ...poll(
      'k3s',
      [
        'available() {',
        `out=$(${kubectl(`get deployments -n kube-system -o ${quote(`jsonpath=${path}`)}`)} 2>/dev/null) || return 1`,
        missing,
        `! printf '%s\\n' "$out" | grep -v '=True$' | grep -q .`,
        '}',
        'available && exit 0',
        UNPULLED,
      ].join('\n'),
    ),
    timeoutMs,
    diagnose: `${kubectl('get pods -n kube-system -o wide')}; ${kubectl('get events -n kube-system --sort-by=.lastTimestamp')} | tail -n 8`,
  }
}

/** Deployments of kube-system that k3s brings, by the word that disables each. */
const PACKAGED: Readonly<Record<string, string>> = {
  coredns: 'coredns',
  'local-storage': 'local-path-provisioner',
  'metrics-server': 'metrics-server',
  traefik: 'traefik',
}

/** Those of them that a new cluster with this configuration gets. Pure. */
export function packagedDeployments({ config }: Pick<ClusterSpec, 'config'>): string[] {
  const disabled = [config.disable ?? []].flat().flatMap((value) => String(value).split(','))
  const words = new Set(disabled.map((word) => word.trim()))
  // traefik comes as a chart, which nobody installs then.
  if (String(config['disable-helm-controller']) === 'true') words.add('traefik')
  return Object.entries(PACKAGED).flatMap(([word, name]) => (words.has(word) ? [] : [name]))
}

/**
 * Fails unless every image is in the container runtime: k3s only logs an import that went wrong. What keeps k3s from getting
 * up is told here too: a node that was Ready before its service began anew is called so for another 40 seconds.
 */
export function checkImages(names: readonly string[], unit: string, timeoutMs: number): Wait {
  return {
    kind: 'wait',
    what: `${names.length} images of the rootfs to be imported`,
    ...poll(
      unit,
      `have=$(timeout 20 ${K3S.binary} ctr -n k8s.io images ls -q 2>/dev/null) && {\n  for image in ${names.map(quote).join(' ')}; do printf '%s\\n' "$have" | grep -qxF "$image" || { echo "missing: $image"; have=; break; }; done\n  [ -z "$have" ] || exit 0\n}`,
    ),
    timeoutMs,
    diagnose: `have=$(${K3S.binary} ctr -n k8s.io images ls -q 2>/dev/null); for image in ${names.map(quote).join(' ')}; do printf '%s\\n' "$have" | grep -qxF "$image" || echo "missing: $image"; done; if [ -d /run/systemd/system ]; then journalctl -u ${unit} --no-pager -o cat 2>/dev/null; else cat /var/log/${unit}.log; fi | grep -E 'Failed to process image|failed to import' | tail -n 5`,
  }
}
