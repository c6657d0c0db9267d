import type { ErrorCode } from '../../core/errors.js'
import { K3S } from './paths.js'

/** Prints the last lines of a service's log, whichever init system keeps it. */
export function logScript(unit: string, lines: number): string {
  return `if command -v journalctl >/dev/null 2>&1 && [ -d /run/systemd/system ]; then journalctl -u ${unit} -n ${lines} --no-pager -o cat 2>/dev/null; else tail -n ${lines} /var/log/${unit}.log 2>/dev/null; fi`
}

/** What k3s says when it will never succeed, and what that means for the operator. Sources: k3s' own messages, seen in the lab. */
const FATAL: readonly {
  readonly pattern: string
  readonly code: ErrorCode
  readonly message: string
  readonly hint: string
  readonly times?: number
}[] = [
  {
    pattern: 'not authorized|invalid token CA hash|token CA hash does not match|failed to validate token',
    code: 'E_JOIN',
    message: 'the master refuses the token of this node',
    // A master that has just begun to listen may refuse once before it has read its own token.
    times: 3,
    hint: 'a token of another cluster may be in /etc/rancher/k3s: run airlift reset for this machine, then the same command again',
  },
  {
    pattern: 'Node password rejected|duplicate hostname or contents',
    code: 'E_JOIN',
    message: 'a node of this name is already known to the cluster, with another password',
    hint: 'if this machine was installed anew, run the same command again: the cluster then forgets the old node; else give it another host name',
  },
  {
    pattern: 'duplicate node name found',
    code: 'E_JOIN',
    message: 'a master of this name is already a member of the datastore',
    hint: 'delete the old one (k3s kubectl delete node NAME), or give this machine another host name',
  },
  {
    pattern: 'tombstone file has been detected but|etcd tombstone found',
    code: 'E_START',
    message: 'this master was taken out of the cluster, by a delete that was cut off',
    hint: 'finish it: airlift delete --masters with its name; a container joins again with the same airlift run command',
  },
  {
    pattern: 'critical configuration value mismatch|critical configuration mismatched',
    code: 'E_START',
    message: 'this master is configured differently from the others',
    hint: 'give all masters the same --config and --set',
  },
  {
    pattern: 'flag provided but not defined',
    code: 'E_START',
    message: 'k3s does not know a key of its configuration',
    hint: 'see the log below, and take the key out of --config or --set',
  },
  {
    // Kubernetes' parts are one process in k3s: the first of them that starts says how all log.
    pattern: 'logging configuration should not be changed after setting it once',
    code: 'E_START',
    message: 'one part of k3s was told to log in another way than the others, which k3s does not allow',
    hint: 'take v=, vmodule= and logging-format= out of kubelet-arg and its like; --set v=2 is for all parts',
  },
  {
    pattern: 'failed to find (memory|cpuset|cpu) cgroup|pids cgroup controller not found',
    code: 'E_START',
    message: 'a control group controller that the kubelet needs is missing',
    hint: 'cgroup_memory=1 cgroup_enable=memory on the kernel command line (Raspberry Pi); in containers an engine that runs as root',
  },
  {
    pattern: 'kubelet is configured to not run on a host using cgroup v1|cgroup v1 support is unsupported',
    code: 'E_START',
    message: 'the kubelet refuses the control groups of this host',
    hint: 'boot the host with cgroup v2, or add --set kubelet-arg=fail-cgroupv1=false',
  },
  {
    pattern: 'address already in use',
    code: 'E_START',
    message: 'a port that k3s needs is taken',
    hint: 'see which process has it: ss -lntp',
  },
  {
    // Before the full disk: the kernel says the same of a directory that cannot be watched.
    pattern: 'too many open files|inotify_add_watch .*no space left on device',
    code: 'E_START',
    message: 'the host has too few inotify instances or watches',
    hint: 'sysctl -w fs.inotify.max_user_instances=8192 fs.inotify.max_user_watches=524288',
  },
  {
    pattern: 'no space left on device|database or disk is full|[Dd]isk quota exceeded',
    code: 'E_DISK_FULL',
    message: 'the disk is full',
    hint: `free some space under ${K3S.dataDir} and run the same command again`,
  },
  {
    pattern: 'open /dev/kmsg: |failed to evacuate root cgroup',
    code: 'E_START',
    message: 'k3s has not the privileges that it needs: it runs in a container that is confined',
    hint: 'containers need an engine that may run them privileged, as root; a host must not be an unprivileged container (LXC: nesting, /dev/kmsg)',
  },
  {
    pattern: 'snapshotter cannot be enabled for',
    code: 'E_START',
    message: `the file system below ${K3S.dataDir} cannot hold the layers of containers`,
    hint: `put ${K3S.dataDir} on ext4 or xfs, or add --set snapshotter=native`,
  },
  {
    // Of the questions that a joining node asks its master; pods may have proxies of their own that do not work.
    pattern:
      '(cacerts|/ping|v1-k3s/[a-z./-]+).{0,4}: (proxyconnect tcp|Proxy Authentication Required|Service Unavailable)',
    code: 'E_JOIN',
    message: 'this node asks for its master through a proxy, which does not lead there',
    times: 3,
    hint: 'add the addresses of the masters to NO_PROXY, and run the same command again',
  },
  {
    pattern: 'bootstrap data already found and encrypted with different token',
    code: 'E_JOIN',
    message: 'the datastore belongs to a cluster with another token',
    hint: 'use the token of that cluster (--set token=…), or an empty datastore',
  },
]

/**
 * Prints how a service stands when a wait for it begins, for {@link fatalScript}. What made it end before may have been mended
 * since, so neither its old log lines nor its old restarts count. systemd: the start that has ended, where the next one is
 * still to come. OpenRC: the size of the log and the number of starts. Containers have one log for one start.
 */
export function beforeScript(unit: string): string {
  return [
    'if [ -d /run/systemd/system ]; then',
    `  [ "$(systemctl show -p SubState --value ${unit} 2>/dev/null)" != auto-restart ] || systemctl show -p InvocationID --value ${unit} 2>/dev/null`,
    `  systemctl reset-failed ${unit} 2>/dev/null`,
    `elif [ -x /etc/init.d/${unit} ]; then`,
    `  echo "$(stat -c %s /var/log/${unit}.log 2>/dev/null || echo 0) $(cat ${startCount(unit)} 2>/dev/null)"`,
    'fi',
  ].join('\n')
}

/**
 * A script that looks at what the service has logged since its last start and fails with the cause when k3s will never
 * succeed. k3s itself retries most of these for ever. Looks at most once in two seconds: reading a journal is not free.
 * `$before` is what {@link beforeScript} printed.
 */
export function fatalScript(unit: string): string {
  const cases = FATAL.map(
    ({ pattern, code, message, hint, times = 1 }) =>
      `if [ "$(printf '%s\\n' "$log" | grep -cE '${pattern}')" -ge ${times} ]; then printf '%s\\n' "$log" | grep -E '${pattern}' | tail -n 2 | sed 's/^/@@log /'; printf '@@fail ${code} %s\\n@@hint %s\\n' ${JSON.stringify(message)} '${hint}'; exit 11; fi`,
  )
  const file = `/var/log/${unit}.log`
  return [
    'fatal() {',
    // Only the log of this start: an older one may tell of what was mended since.
    '  log= again=0 all=',
    '  if [ -d /run/systemd/system ]; then',
    `    id=$(systemctl show -p InvocationID --value ${unit} 2>/dev/null)`,
    '    if [ -n "$id" ] && [ "$id" != "${before:-}" ]; then log=$(journalctl _SYSTEMD_INVOCATION_ID="$id" -n 60 --no-pager -o cat 2>/dev/null); fi',
    `    again=$(systemctl show -p NRestarts --value ${unit} 2>/dev/null) all='journalctl -u ${unit}'`,
    '  elif [ -n "${before:-}" ]; then',
    '    size=${before%% *} starts=${before#* }',
    // A log that is shorter than it was has been rotated.
    `    if [ "$(stat -c %s ${file} 2>/dev/null || echo 0)" -lt "$size" ]; then size=0; fi`,
    `    log=$(tail -c +$((size + 1)) ${file} 2>/dev/null | tail -n 60)`,
    `    now=$(cat ${startCount(unit)} 2>/dev/null) all=${file}`,
    '    again=$(( ${now:-0} - ${starts:-0} ))',
    `  else log=$(tail -n 40 ${file} 2>/dev/null); fi`,
    ...cases.map((line) => `  ${line}`),
    // A service that ends again and again will not heal by being waited for, whatever its reason.
    `  if [ "\${again:-0}" -ge ${CRASHES} ]; then { ${lastWords(unit)}; } | sed 's/^/@@log /'; printf '@@fail E_START %s\\n@@hint %s\\n' "k3s has ended $again times since it was started" "its last words are below; the whole log: $all"; exit 11; fi`,
    '  return 1',
    '}',
  ].join('\n')
}

/** So many restarts of its service mean that k3s cannot start; a joining node may need one or two. */
const CRASHES = 5

/** Where supervise-daemon of OpenRC notes how often it has started a service anew. */
function startCount(unit: string): string {
  return `/run/openrc/options/${unit}/start_count`
}

/** The lines of a log that tell why k3s ended. */
function causes(unit: string): string {
  return `{ ${logScript(unit, 300)}; } | grep -E 'level=(fatal|error)|^panic|^[EF][0-9]{4} |unknown flag' | tail -n 5 | cut -c1-300`
}

/** The same, or the end of the log where k3s was ended without a word of its own, as by the kernel. */
function lastWords(unit: string): string {
  return `words=$(${causes(unit)}); [ -n "$words" ] || words=$({ ${logScript(unit, 10)}; } | cut -c1-300); printf '%s\\n' "$words"`
}

/** What is shown when a wait ends without success: the state of the unit and the end of its log. */
export function diagnoseScript(unit: string): string {
  return `systemctl show -p ActiveState,SubState,NRestarts ${unit} 2>/dev/null | tr '\\n' ' '; echo; ${causes(unit)}; ${logScript(unit, 10)}`
}

/** The same judgement of a log that was read already; undefined where nothing in it is hopeless. Pure. */
export function explainLog(
  log: string,
): { readonly code: ErrorCode; readonly message: string; readonly hint: string } | undefined {
  const lines = log.split('\n')
  return FATAL.find(
    ({ pattern, times = 1 }) => lines.filter((line) => new RegExp(pattern).test(line)).length >= times,
  )
}
