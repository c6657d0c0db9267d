import { JOURNAL, KEPT_STATE, RECORD, STATE_DIR } from '../../machine/state-paths.js'

/** Paths of k3s, the same on hosts and in containers. */
const K3S = {
  binary: '/usr/local/bin/k3s',
  dataDir: '/var/lib/rancher/k3s',
  config: '/etc/rancher/k3s/config.yaml',
  registries: '/etc/rancher/k3s/registries.yaml',
  resolvConf: '/etc/rancher/k3s/resolv.conf',
} as const

/** One file of what is collected: what prints it, and how its secrets are found. */
export interface Section {
  /** Path in the directory of its machine, or of the cluster. */
  readonly file: string
  readonly script: string
  readonly kind: 'text' | 'config' | 'registries' | 'objects'
}

/** At most so many bytes of one file are kept, the newest: memory and disk stay bounded, whatever a log has grown to. */
export const MAX_BYTES = 8 * 1024 * 1024
/** At most so many of all files of one machine. */
export const MAX_MACHINE_BYTES = 64 * 1024 * 1024

const text = (file: string, script: string): Section => ({ file, script, kind: 'text' })
const has = (tool: string, script: string): string =>
  `if command -v ${tool} >/dev/null 2>&1; then ${script}; else echo '${tool} is not installed'; fi`
const k3s = (rest: string): string => `timeout 20 ${K3S.binary} ${rest}`

function journal(unit: string): Section {
  return text(
    `${unit}.log`,
    `if command -v journalctl >/dev/null 2>&1 && [ -d /run/systemd/system ]; then journalctl -u ${unit} -n 50000 --no-pager -o short-iso; else cat /var/log/${unit}.log; fi`,
  )
}

/** Where the secrets of a machine are that its logs may name. */
export const SECRET_FILES: readonly string[] = [
  '/etc/rancher/k3s/token',
  `${K3S.dataDir}/server/token`,
  `${K3S.dataDir}/server/agent-token`,
  `${K3S.dataDir}/server/node-token`,
  '/etc/rancher/node/password',
]

/** A file that is read as it is, without a command. */
export interface KeptFile extends Omit<Section, 'script'> {
  readonly path: string
}

/**
 * What is read of a container that does not run, where configuration comes first: its secrets are then known. An engine knows
 * no mounts of the inside, so what airlift keeps there is read where it lies.
 */
export function keptFiles(role: 'master' | 'worker'): KeptFile[] {
  const unit = role === 'master' ? 'k3s' : 'k3s-agent'
  const kept = (path: string): string => path.replace(STATE_DIR, KEPT_STATE)
  const plain = (file: string, path: string): KeptFile => ({ file, path, kind: 'text' })
  return [
    { file: 'config.yaml', path: K3S.config, kind: 'config' },
    { file: 'registries.yaml', path: K3S.registries, kind: 'registries' },
    plain(`${unit}.log`, `/var/log/${unit}.log`),
    plain(`${unit}.log.previous`, `/var/log/${unit}.log.previous`),
    plain('containerd.log', `${K3S.dataDir}/agent/containerd/containerd.log`),
    plain('airlift/cluster.json', kept(RECORD)),
    plain('airlift/journal', kept(JOURNAL)),
    plain('resolv.conf', K3S.resolvConf),
  ]
}

/** What tells what is wrong with one machine, the likeliest first. */
export function machineSections(
  role: 'master' | 'worker',
  { container = false }: { readonly container?: boolean } = {},
): Section[] {
  const unit = role === 'master' ? 'k3s' : 'k3s-agent'
  return [
    journal(unit),
    // Of the start before; a host has it in the log of the service.
    ...(container ? [text(`${unit}.log.previous`, `cat /var/log/${unit}.log.previous`)] : []),
    { file: 'config.yaml', script: `cat ${K3S.config}`, kind: 'config' },
    { file: 'registries.yaml', script: `cat ${K3S.registries}`, kind: 'registries' },
    text('containerd.log', `cat ${K3S.dataDir}/agent/containerd/containerd.log`),
    text('airlift/cluster.json', `cat ${RECORD}`),
    text('airlift/journal', `cat ${JOURNAL}`),
    text(
      'service.txt',
      `if [ -d /run/systemd/system ]; then systemctl show ${unit} -p ActiveState,SubState,Result,NRestarts,ExecMainStatus,ExecMainStartTimestamp,UnitFileState,MemoryCurrent; systemctl --failed --no-pager; elif command -v rc-service >/dev/null 2>&1; then rc-service ${unit} status; fi; ${K3S.binary} --version`,
    ),
    text('crictl-ps.txt', k3s('crictl ps -a')),
    text('crictl-pods.txt', k3s('crictl pods')),
    text('crictl-images.txt', `${k3s('crictl images')}; ls -l ${K3S.dataDir}/agent/images`),
    text(
      'kubelet.txt',
      `ls -l ${K3S.dataDir}/agent/etc/kubelet.conf.d; cat ${K3S.dataDir}/agent/etc/kubelet.conf.d/* ; ls ${K3S.dataDir}/agent/pod-manifests /var/lib/kubelet; cat ${K3S.dataDir}/agent/etc/resolv.conf ${K3S.resolvConf} /etc/resolv.conf`,
    ),
    text(
      'pods-kube-system.log',
      'for f in /var/log/pods/kube-system_*/*/*.log; do [ -f "$f" ] && { echo "== $f"; tail -c 100000 "$f"; }; done',
    ),
    text('disk.txt', 'df -h; df -i; cat /proc/mounts'),
    text('network.txt', has('ip', 'ip addr; ip route; ip -6 route; ip neigh; ip -s link')),
    text('sockets.txt', has('ss', 'ss -lntup')),
    text(
      'firewall.txt',
      `${has('iptables-save', 'iptables-save')}; ${has('ip6tables-save', 'ip6tables-save')}; ${has('nft', 'nft list ruleset')}`,
    ),
    text('kernel.txt', 'dmesg 2>&1 | tail -n 500; uname -a; lsmod'),
    text(
      'system.txt',
      'date -u; uptime; free -m; cat /etc/os-release; sysctl fs.inotify net.ipv4.ip_forward net.bridge vm.overcommit_memory kernel.panic; cat /proc/pressure/*; ps -eo pid,ppid,stat,pcpu,rss,etime,comm --sort=-rss | head -n 60',
    ),
  ]
}

/** What the cluster itself tells, asked on one master. */
export function clusterSections(): Section[] {
  const get = (file: string, rest: string): Section => text(file, k3s(`kubectl ${rest}`))
  const objects = (file: string, rest: string): Section => ({ ...get(file, rest), kind: 'objects' })
  return [
    get('nodes.txt', 'get nodes -o wide'),
    objects('nodes.json', 'get nodes -o json'),
    get('describe-nodes.txt', 'describe nodes'),
    get('pods.txt', 'get pods -A -o wide'),
    objects('pods.json', 'get pods -A -o json'),
    get('events.txt', 'get events -A -o wide --sort-by=.lastTimestamp'),
    objects('events.json', 'get events -A -o json'),
    get(
      'workloads.txt',
      'get deployments,daemonsets,statefulsets,services,endpoints,persistentvolumeclaims,persistentvolumes -A -o wide',
    ),
    get('component-statuses.txt', 'get componentstatuses'),
    get('readyz.txt', "get --raw '/readyz?verbose'"),
    get('version.txt', 'version'),
  ]
}

/** Prints the newest bytes of what a script prints, and one more where there are more: that one tells. */
export function capped(script: string, bytes: number): string {
  return `{ ( ${script}\n) 2>&1 </dev/null; } | tail -c ${bytes + 1}`
}
