import type { ConfigValue, Role } from './spec.js'

/** What k3s takes as the value of an option. A duration is a string such as `10m`; a port is a number that can be bound. */
export type OptionKind = 'string' | 'boolean' | 'number' | 'port' | 'list'

/** One key of /etc/rancher/k3s/config.yaml. */
export interface K3sOption {
  readonly kind: OptionKind
  /** Which role's `k3s` subcommand has it. */
  readonly roles: 'both' | Role
  /** First minor that has it, where it is newer than 1.30. Later patches of older minors may have it too. */
  readonly since?: string
  /** The value is a password or holds one. */
  readonly secret?: true
  /** Why the user may not set it: what airlift does instead. */
  readonly owned?: string
  /** It names one node, so it is refused where there are several. */
  readonly perNode?: true
}

const table: Record<string, K3sOption> = {}

function add(roles: K3sOption['roles'], kind: OptionKind, keys: string, more: Partial<K3sOption> = {}): void {
  for (const key of keys.trim().split(/\s+/)) table[key] = { kind, roles, ...more }
}

// Server only (pkg/cli/cmds/server.go of k3s).
add(
  'master',
  'string',
  `advertise-address service-node-port-range cluster-domain flannel-backend egress-selector-mode servicelb-namespace
   write-kubeconfig-mode write-kubeconfig-group helm-job-image datastore-cafile datastore-certfile
   datastore-keyfile etcd-snapshot-name etcd-snapshot-schedule-cron etcd-snapshot-dir etcd-s3-endpoint
   etcd-s3-endpoint-ca etcd-s3-bucket etcd-s3-region etcd-s3-folder etcd-s3-config-secret
   etcd-s3-timeout default-local-storage-path system-default-registry apiserver-bind-address`,
)
add(
  'master',
  'boolean',
  `tls-san-security flannel-ipv6-masq flannel-external-ip kine-tls etcd-expose-metrics etcd-disable-snapshots
   etcd-snapshot-compress etcd-s3 etcd-s3-skip-ssl-verify etcd-s3-insecure disable-scheduler
   disable-cloud-controller disable-kube-proxy disable-network-policy disable-helm-controller embedded-registry
   supervisor-metrics secrets-encryption cluster-init`,
)
add('master', 'port', 'https-listen-port advertise-port')
add('master', 'number', 'etcd-snapshot-retention')
add(
  'master',
  'list',
  `tls-san cluster-cidr service-cidr cluster-dns disable kube-apiserver-arg kube-controller-manager-arg
   kube-controller-arg kube-scheduler-arg kube-cloud-controller-manager-arg kube-cloud-controller-arg etcd-arg`,
)
add('master', 'string', 'datastore-endpoint etcd-s3-proxy etcd-s3-access-key etcd-s3-secret-key', {
  secret: true,
})
add('master', 'string', 'etcd-s3-session-token', { secret: true, since: '1.33' })
add('master', 'string', 'etcd-snapshot-reconcile-interval secrets-encryption-provider', { since: '1.32' })
add('master', 'string', 'etcd-s3-bucket-lookup-type', { since: '1.33' })
add('master', 'number', 'etcd-s3-retention', { since: '1.34' })
add('master', 'list', 'helm-controller-arg', { since: '1.35' })

// Server and agent (pkg/cli/cmds/agent.go, log.go, root.go).
add(
  'both',
  'string',
  `resolv-conf flannel-iface flannel-conf flannel-cni-conf vpn-auth-file container-runtime-endpoint
   default-runtime image-service-endpoint pause-image snapshotter image-credential-provider-bin-dir
   image-credential-provider-config vmodule log`,
)
add(
  'both',
  'boolean',
  `protect-kernel-defaults docker disable-default-registry-endpoint selinux debug alsologtostderr prefer-bundled-bin
   enable-pprof`,
)
add('both', 'boolean', 'nonroot-devices', { since: '1.31' })
add('both', 'port', 'lb-server-port')
add('both', 'number', 'v')
add('both', 'list', 'node-label node-taint kubelet-arg kube-proxy-arg airgap-extra-registry')
add('both', 'string', 'vpn-auth token', { secret: true })
add('both', 'string', 'bind-address', { perNode: true })
add('both', 'list', 'node-ip node-external-ip', { perNode: true })
add('both', 'list', 'node-internal-dns node-external-dns', { since: '1.31', perNode: true })

// Agent only.
add('worker', 'boolean', 'disable-apiserver-lb')

const own = (roles: K3sOption['roles'], kind: OptionKind, keys: string, owned: string): void =>
  add(roles, kind, keys, { owned })

own(
  'both',
  'string',
  'server',
  'airlift writes it for each node: workers and further masters join the first one',
)
const NAMED =
  'airlift names each node after its host: change that name before, with hostnamectl set-hostname NAME'
own('both', 'string', 'node-name', NAMED)
own('both', 'boolean', 'with-node-id', NAMED)
own(
  'master',
  'port',
  'supervisor-port apiserver-port',
  'nodes join where the API server is; to move both, set https-listen-port',
)
own('both', 'string', 'token-file', 'airlift keeps the token in a file of its own; to choose it, set token')
own(
  'master',
  'string',
  'agent-token agent-token-file',
  'airlift joins workers with the cluster token; to choose it, set token',
)
own('master', 'boolean', 'cluster-reset', 'it is for one start of one master, and would run at every start')
own(
  'master',
  'string',
  'cluster-reset-restore-path',
  'it is for one start of one master, and would run at every start',
)
own('master', 'string', 'write-kubeconfig', 'airlift reads /etc/rancher/k3s/k3s.yaml; use airlift kubeconfig')
own(
  'both',
  'string',
  'private-registry',
  'airlift writes /etc/rancher/k3s/registries.yaml; use --registries FILE',
)
own('both', 'string', 'config', 'airlift writes /etc/rancher/k3s/config.yaml')
own('both', 'string', 'data-dir', 'airlift keeps k3s in /var/lib/rancher/k3s; mount the disk there')
own('both', 'boolean', 'rootless', 'airlift installs k3s as a service of root')
own(
  'master',
  'boolean',
  'disable-agent',
  'a master without a kubelet never becomes a node that can be checked',
)
own(
  'master',
  'boolean',
  'disable-etcd disable-apiserver disable-controller-manager',
  'every master would get it, and no cluster works without that part',
)

/** Every key that k3s 1.30 to 1.36 takes in its configuration file. */
export const K3S_OPTIONS: Readonly<Record<string, K3sOption>> = table

/** The option of a key; undefined when k3s has none of that name. */
export function k3sOption(key: string): K3sOption | undefined {
  return Object.hasOwn(table, key) ? table[key] : undefined
}

/** Whether the value of a key is a password or holds one, so that it may not be shown. */
export function isSecretOption(key: string): boolean {
  const option = k3sOption(key)
  // Of an option that k3s does not have only its name tells.
  return option === undefined ? NAMES_SECRET.test(key) : option.secret === true || /token|password/.test(key)
}

const NAMES_SECRET = /token|passw|secret|credential/i

/** Whether a value holds a password wherever it stands: inside a URL, or as an argument such as `oidc-client-secret=…`. */
export function holdsSecret(value: unknown): boolean {
  return (
    typeof value === 'string' &&
    /:\/\/[^/@\s]*:[^/@\s]*@|^(?:--)?[\w.-]*(?:secret|password|passwd|token)=./i.test(value)
  )
}

/** Whether a setting may not be shown: because of its key, or of what its value holds. */
export function isSecretSetting(key: string, value: ConfigValue): boolean {
  return isSecretOption(key) || (Array.isArray(value) ? value.some(holdsSecret) : holdsSecret(value))
}

/** Keys of a configuration that a minor (`1.30`) of k3s does not have yet, with the first minor that does. */
export function newerOptions(keys: Iterable<string>, minor: string): { key: string; since: string }[] {
  const number = (text: string): number => Number(text.split('.')[1])
  return [...keys].flatMap((key) => {
    const since = k3sOption(key)?.since
    return since !== undefined && number(since) > number(minor) ? [{ key, since }] : []
  })
}
