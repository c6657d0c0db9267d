import type { ListenerFact } from '../../machine/facts/facts.js'
import {
  type CheckInput,
  configFlag,
  configList,
  configText,
  isOurs,
  wantsEtcd,
} from './machine-under-test.js'
import { type Problem, problem } from './problem.js'

/** A port that k3s binds. Source: the requirements page of k3s and its defaults. */
interface WantedPort {
  readonly port: number
  readonly protocol: 'tcp' | 'udp'
  readonly use: string
  /** Bound to 127.0.0.1 only. */
  readonly loopback?: boolean
}

/** Ports that another program has. A port of our own k3s is not one; the kernel's vxlan port outlives a stopped service. */
export function checkPorts(input: CheckInput): Problem[] {
  const { machine, spec } = input
  const ours = isOurs(machine)
  const foreign = machine.facts.listeners.filter((entry) => !(ours && isK3s(entry)))
  const found: Problem[] = []
  for (const wanted of wantedPorts(input)) {
    const taken = foreign.find((entry) => conflicts(entry, wanted))
    if (!taken) continue
    const who = taken.process ?? 'another program'
    found.push(
      problem(
        'port-in-use',
        machine.name,
        `port ${wanted.port}/${wanted.protocol} (${wanted.use}) is taken by ${who}`,
        { fix: portFix(wanted, taken) },
      ),
    )
  }
  if (usesIngress(spec)) {
    const taken = foreign.find(
      (entry) =>
        entry.protocol === 'tcp' && (entry.port === 80 || entry.port === 443) && !isLoopback(entry.address),
    )
    if (taken) {
      const who = taken.process ?? 'another program'
      found.push(
        problem(
          'ingress-port',
          machine.name,
          `port ${taken.port}/tcp is taken by ${who}; traefik would take it over`,
        ),
      )
    }
  }
  return found
}

/** Every port that k3s binds on a machine of this role, with this configuration. */
function wantedPorts({ spec, machine }: CheckInput): WantedPort[] {
  const number = (key: string, fallback: number): number => Number(configText(spec, key)) || fallback
  const ports: WantedPort[] = [
    { port: 10250, protocol: 'tcp', use: 'kubelet' },
    { port: 10248, protocol: 'tcp', use: 'kubelet health', loopback: true },
    { port: 10249, protocol: 'tcp', use: 'kube-proxy', loopback: true },
    { port: 10256, protocol: 'tcp', use: 'kube-proxy health' },
    { port: 10010, protocol: 'tcp', use: 'containerd', loopback: true },
    { port: number('lb-server-port', 6444), protocol: 'tcp', use: "k3s' own load balancer", loopback: true },
    ...backendPorts(configText(spec, 'flannel-backend') ?? 'vxlan'),
  ]
  if (machine.node.role === 'worker') return ports
  ports.push(
    { port: number('https-listen-port', 6443), protocol: 'tcp', use: 'API server' },
    { port: 10257, protocol: 'tcp', use: 'controller manager', loopback: true },
    { port: 10258, protocol: 'tcp', use: 'cloud controller', loopback: true },
    { port: 10259, protocol: 'tcp', use: 'scheduler', loopback: true },
  )
  if (wantsEtcd(spec)) {
    ports.push(
      { port: 2379, protocol: 'tcp', use: 'etcd clients' },
      { port: 2380, protocol: 'tcp', use: 'etcd peers' },
      { port: 2381, protocol: 'tcp', use: 'etcd metrics', loopback: true },
      { port: 2382, protocol: 'tcp', use: 'etcd', loopback: true },
    )
  }
  return ports
}

/** What a backend of flannel listens on. */
export function backendPorts(backend: string): WantedPort[] {
  if (backend === 'vxlan') return [{ port: 8472, protocol: 'udp', use: 'flannel vxlan' }]
  if (backend.startsWith('wireguard')) return [{ port: 51820, protocol: 'udp', use: 'flannel wireguard' }]
  return []
}

/** A wildcard bind fails beside any listener on the port; a loopback bind only beside loopback and wildcard ones. */
function conflicts(entry: ListenerFact, wanted: WantedPort): boolean {
  if (entry.port !== wanted.port || entry.protocol !== wanted.protocol) return false
  return !wanted.loopback || isLoopback(entry.address) || isWildcard(entry.address)
}

function isWildcard(address: string): boolean {
  return address === '0.0.0.0' || address === '::'
}

function isLoopback(address: string): boolean {
  return address.startsWith('127.') || address === '::1' || address.startsWith('::ffff:7f')
}

/** Sockets without a process are the kernel's, such as flannel's, or could not be read. */
function isK3s({ process }: ListenerFact): boolean {
  return process === undefined || /^(k3s|containerd|flannel|etcd|kube)/.test(process)
}

function usesIngress(spec: CheckInput['spec']): boolean {
  const disabled = configList(spec, 'disable')
  return (
    !disabled.includes('traefik') && !disabled.includes('servicelb') && !configFlag(spec, 'disable-servicelb')
  )
}

function portFix(wanted: WantedPort, taken: ListenerFact): string {
  const stop = taken.process
    ? `stop ${taken.process} on the machine`
    : `find the program with ss -lnp | grep :${wanted.port} and stop it`
  return wanted.use === 'API server' ? `${stop}, or use --set https-listen-port=PORT` : stop
}
