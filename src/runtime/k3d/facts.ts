import { LABELS, nodeOfLabels } from '../../cluster/container-labels.js'
import type { NodeSpec } from '../../cluster/spec.js'
import type { EngineContainer, EngineInfo } from '../../machine/docker/engine.js'
import type { Facts, ManagedFacts } from '../../machine/facts/facts.js'
import { parseNodes } from '../k3s/nodes.js'
import type { InstalledState } from '../runtime.js'

const UNAME: Readonly<Record<string, string>> = { amd64: 'x86_64', arm64: 'aarch64', arm: 'armv7l' }

/** Facts of a container that does not run or is not there yet: what the engine says, and what is known to be in it. */
export function plannedFacts(
  node: NodeSpec,
  info: EngineInfo,
  address: string | undefined,
  fragments: Readonly<Record<string, string>> = {},
): Facts {
  return {
    hostname: node.target.host,
    os: { id: info.os, versionId: '', name: info.os },
    kernel: '',
    unameArch: UNAME[info.arch] ?? info.arch,
    init: 'none',
    virtualization: info.kind,
    cpus: info.cpus,
    memoryBytes: info.memoryBytes,
    swapBytes: 0,
    cgroups: { version: info.cgroupVersion === '1' ? 1 : 2, controllers: [] },
    filesystems: [],
    modules: {},
    listeners: [],
    clockSkewMs: 0,
    clockErrorMs: 0,
    addresses: [],
    ...(address === undefined ? {} : { routeSource: { to: address, address, device: 'eth0' } }),
    resolv: { path: '/etc/resolv.conf', nameservers: [], search: [] },
    firewall: [],
    sysctls: {},
    tools: {},
    leftovers: [],
    proxyEnv: [],
    managed: plannedManaged(fragments),
  }
}

/** Nothing but these answers of the probe. */
export function plannedManaged(fragments: Readonly<Record<string, string>>): ManagedFacts {
  return { blobs: [], files: [], units: [], journal: [], fragments }
}

/** What a container is, from its labels and state; from inside only where it runs. */
export function containerState(container: EngineContainer | undefined, facts: Facts): InstalledState {
  if (!container) return { active: false, initialized: false, apiReady: false }
  const { fragments } = facts.managed
  const text = (name: string): string => fragments[name]?.trim() ?? ''
  const cluster = container.labels[LABELS.cluster]
  const role = nodeOfLabels(container.labels)?.role
  const inside = /\b(v\d+\.\d+\.\d+\S*)/.exec(text('k3s-version'))?.[1]
  const version = container.labels[LABELS.version] || inside
  const nodes = text('k3s-nodes')
  return {
    ...(cluster ? { cluster } : {}),
    ...(role ? { role } : {}),
    ...(version ? { version } : {}),
    active: container.state === 'running',
    initialized: text('k3s-initialized') === 'yes',
    apiReady: text('k3s-api') === 'ok',
    ...(nodes ? { nodes: parseNodes(nodes, text('k3s-members')) } : {}),
  }
}
