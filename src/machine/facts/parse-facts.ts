import type { Facts } from './facts.js'
import { type Asked, parseFilesystems, parseManaged, yesNo } from './parse-managed.js'
import {
  parseAddresses,
  parseDefaultRoute,
  parseListeners,
  parseMtus,
  parseResolv,
  parseRouteSource,
  parseRoutes,
} from './parse-network.js'
import { linesOf, one, type ProbeOutput, readProbeOutput } from './probe-output.js'

/** This computer's clock around the probe, in milliseconds since 1970. */
export interface LocalTimes {
  readonly before: number
  readonly after: number
}

/**
 * Turns the probe's answer into facts. Pure.
 * @throws AirliftError E_COMMAND when the answer ends early
 */
export function parseFacts(text: string, asked: Asked, times: LocalTimes): Facts {
  const output = readProbeOutput(text)
  const os = parseOsRelease(output.blocks.get('osRelease') ?? '')
  const bits = Number(one(output, 'bits'))
  const libc = one(output, 'libc')
  const init = one(output, 'init')
  const memory = parseMemory(output)
  const routeSource = parseRouteSource(output)
  const defaultRoute = parseDefaultRoute(output)
  const resolved = output.blocks.get('resolved')
  return {
    hostname: one(output, 'hostname') ?? '',
    ...optional('machineId', machineIdOf(output)),
    ...optional('bootId', one(output, 'bootId')),
    os,
    kernel: one(output, 'kernel') ?? '',
    unameArch: one(output, 'arch') ?? '',
    ...optional('bits', bits === 32 || bits === 64 ? bits : undefined),
    init: init === 'systemd' || init === 'openrc' ? init : 'none',
    ...optional('libc', libc === 'glibc' || libc === 'musl' ? libc : undefined),
    ...optional('virtualization', one(output, 'virtualization')),
    cpus: Number(one(output, 'cpus') ?? 1) || 1,
    ...memory,
    cgroups: parseCgroups(output),
    filesystems: parseFilesystems(output),
    modules: Object.fromEntries(
      (output.values.get('module') ?? []).map(([name = '', state]) => [name, moduleState(state)]),
    ),
    listeners: parseListeners(output),
    ...parseClock(output, times),
    ...optional('timeSynchronized', yesNo(output, 'synchronized')),
    ...optional('defaultRoute', defaultRoute),
    addresses: parseAddresses(output),
    ...optional('mtus', parseMtus(output)),
    routes: parseRoutes(output),
    ...optional('routeSource', routeSource),
    resolv: {
      path: one(output, 'resolvPath') ?? '/etc/resolv.conf',
      ...parseResolv(output.blocks.get('resolv') ?? ''),
    },
    ...optional(
      'resolvedNameservers',
      resolved === undefined ? undefined : parseResolv(resolved).nameservers,
    ),
    firewall: [...new Set((output.values.get('firewall') ?? []).map(([name]) => name))].filter(isFirewall),
    ...optional('iptables', parseIptables(one(output, 'iptables'))),
    ...optional('selinux', parseSelinux(one(output, 'selinux'))),
    ...optional('apparmor', parseApparmor(output)),
    sysctls: parseSysctls(output),
    tools: {
      ...Object.fromEntries(
        (output.values.get('tool') ?? []).map(([name = '', there]) => [name, there === '1']),
      ),
      'k3s-selinux': one(output, 'selinuxPolicy') === 'k3s',
    },
    leftovers: (output.values.get('leftover') ?? []).map(([what = '', evidence = '']) => ({
      what,
      evidence,
    })),
    ...optional('nmCloudSetup', one(output, 'nmCloudSetup') === 'yes' ? true : undefined),
    proxyEnv: [...new Set((output.values.get('proxy') ?? []).map(([name = '']) => name))].sort(),
    managed: parseManaged(output, asked),
  }
}

function optional<K extends string, const V>(key: K, value: V | undefined): { [P in K]?: V } {
  return value === undefined ? {} : ({ [key]: value } as { [P in K]?: V })
}

/** A machine id is 32 hex digits; `uninitialized` and an empty file are none. */
function machineIdOf(output: ProbeOutput): string | undefined {
  const id = one(output, 'machineId')
  return id !== undefined && /^[0-9a-f]{32}$/i.test(id) ? id : undefined
}

function parseOsRelease(text: string): Facts['os'] {
  const fields = new Map<string, string>()
  for (const line of text.split('\n')) {
    const match = /^([A-Z_]+)=(?:"(.*)"|'(.*)'|(.*))$/.exec(line.trim())
    if (match) fields.set(match[1] ?? '', match[2] ?? match[3] ?? match[4] ?? '')
  }
  const id = fields.get('ID') ?? 'unknown'
  return {
    id,
    versionId: fields.get('VERSION_ID') ?? '',
    name: fields.get('PRETTY_NAME') ?? fields.get('NAME') ?? id,
  }
}

/** Memory as the kernel and, in a container, the cgroup allow it. */
function parseMemory(output: ProbeOutput): Pick<Facts, 'memoryBytes' | 'memoryAvailableBytes' | 'swapBytes'> {
  const fields = new Map<string, number>()
  for (const line of linesOf(output, 'meminfo')) {
    const match = /^(\w+):\s+(\d+)/.exec(line)
    if (match) fields.set(match[1] ?? '', Number(match[2]) * 1024)
  }
  const total = fields.get('MemTotal') ?? 0
  const limit = Number(one(output, 'memoryLimit'))
  const available = fields.get('MemAvailable')
  return {
    memoryBytes: limit > 0 && limit < total ? limit : total,
    ...optional('memoryAvailableBytes', available),
    swapBytes: fields.get('SwapTotal') ?? 0,
  }
}

/**
 * Version 2 where /sys/fs/cgroup is cgroup2; otherwise 1 where controllers of version 1 are mounted (hybrid hosts are 1: that
 * is what kubelet sees there); 0 where none is.
 */
function parseCgroups(output: ProbeOutput): Facts['cgroups'] {
  const mounts = linesOf(output, 'mounts').map((line) => line.split(' '))
  const root = mounts.findLast((fields) => fields[1] === '/sys/fs/cgroup')
  const [dir = '', ...unified] = (one(output, 'unified') ?? '').split(' ').filter((word) => word !== '')
  if (root?.[2] === 'cgroup2') return { version: 2, controllers: dir === '/sys/fs/cgroup' ? unified : [] }
  const known = linesOf(output, 'cgroups').flatMap((line) => {
    const [name = '', , , enabled] = line.trim().split(/\s+/)
    return enabled === '1' ? [name] : []
  })
  const mounted = mounts
    .filter((fields) => fields[2] === 'cgroup')
    .flatMap((fields) => (fields[3] ?? '').split(','))
    .filter((option) => known.length === 0 || known.includes(option))
  const plain =
    known.length === 0
      ? mounted.filter((option) => !/^(rw|ro|no|rel|xattr|release|name=)/.test(option))
      : mounted
  if (plain.length === 0) return { version: 0, controllers: [] }
  return { version: 1, controllers: [...new Set([...plain, ...unified])].sort() }
}

/** Skew in the middle of the time that is not the probe's own; unsure by half of it, and by half a second where `date` knows no more. */
function parseClock(output: ProbeOutput, times: LocalTimes): Pick<Facts, 'clockSkewMs' | 'clockErrorMs'> {
  const start = parseTime(one(output, 'clock'))
  const end = parseTime(one(output, 'clockEnd'))
  if (start === undefined) return { clockSkewMs: 0, clockErrorMs: Number.POSITIVE_INFINITY }
  const lasted = end === undefined ? 0 : Math.max(0, end.ms - start.ms)
  const roundTrip = Math.max(0, times.after - times.before - (start.coarse ? 0 : lasted))
  const coarse = start.coarse ? 500 : 0
  const middle = start.coarse && end ? (start.ms + end.ms) / 2 : start.ms
  return {
    clockSkewMs: Math.round(middle + coarse - (times.before + roundTrip / 2)),
    clockErrorMs: Math.ceil(roundTrip / 2) + coarse,
  }
}

/** `date +%s%N`: nanoseconds, or seconds followed by nothing or `%N` where date does not know %N. */
function parseTime(text: string | undefined): { ms: number; coarse: boolean } | undefined {
  const digits = /^\d+/.exec(text ?? '')?.[0]
  if (digits === undefined) return undefined
  if (digits.length > 15) return { ms: Number(BigInt(digits) / 1_000_000n), coarse: false }
  return { ms: Number(digits) * 1000, coarse: true }
}

function moduleState(state: string | undefined): Facts['modules'][string] {
  return state === 'loaded' || state === 'available' || state === 'missing' ? state : 'unknown'
}

function isFirewall(name: string | undefined): name is Facts['firewall'][number] {
  return name === 'firewalld' || name === 'ufw' || name === 'nftables' || name === 'iptables'
}

/** `iptables v1.8.9 (nf_tables)`. Before 1.8 there was no word in brackets and only the legacy kind. */
function parseIptables(text: string | undefined): Facts['iptables'] {
  const match = /v(\d+(?:\.\d+)+)(?:\s+\((\w+)\))?/.exec(text ?? '')
  if (!match) return undefined
  const mode = match[2] === 'nf_tables' ? 'nft' : match[2] === 'legacy' || !match[2] ? 'legacy' : 'unknown'
  return { version: match[1] ?? '', mode }
}

/** `/proc/sys/vm/panic_on_oom:0` */
function parseSysctls(output: ProbeOutput): Facts['sysctls'] {
  return Object.fromEntries(
    linesOf(output, 'sysctls').flatMap((line) => {
      const match = /^\/proc\/sys\/([^:]+):(.*)$/.exec(line)
      return match ? [[(match[1] ?? '').replaceAll('/', '.'), match[2] ?? '']] : []
    }),
  )
}

function parseSelinux(text: string | undefined): Facts['selinux'] {
  if (text === '1') return 'enforcing'
  if (text === '0') return 'permissive'
  return text === 'disabled' ? 'disabled' : undefined
}

function parseApparmor(output: ProbeOutput): Facts['apparmor'] {
  const enabled = yesNo(output, 'apparmor')
  if (enabled === undefined) return undefined
  return {
    enabled,
    parser: (output.values.get('tool') ?? []).some(
      ([name, there]) => name === 'apparmor_parser' && there === '1',
    ),
  }
}
