import { CLUSTER_NETWORKS, clusterNetworks, familiesOf } from '../../cluster/cluster-networks.js'
import type { ClusterSpec } from '../../cluster/spec.js'
import { familyOf, type IpFamily, type IpRange, overlaps, parseCidr } from '../../core/cidr.js'
import { backendPorts } from './check-ports.js'
import { type CheckInput, configFlag, configList, configText, wantsEtcd } from './machine-under-test.js'
import { nodeDevice, nodeIpOf, nodeIpsOf } from './node-ip.js'
import { type Problem, problem } from './problem.js'
import { chooseResolvConf, isForPods } from './resolv-conf.js'

/** Devices that a running k3s made itself. */
const OWN_DEVICES = /^(cni0|flannel|kube-|veth|nodelocaldns)/

/** Routes, addresses, the networks of pods and services, resolvers, firewalls, proxies. */
export function checkNetwork(input: CheckInput): Problem[] {
  return [
    ...checkRoute(input),
    ...checkNodeIp(input),
    ...checkCidrs(input),
    ...checkResolv(input),
    ...checkFirewall(input),
    ...checkSurroundings(input),
  ]
}

function checkRoute({ machine }: CheckInput): Problem[] {
  if (machine.facts.defaultRoute) return []
  return [problem('no-default-route', machine.name, 'there is no default route')]
}

function checkNodeIp({ spec, machine, machines }: CheckInput): Problem[] {
  const { facts } = machine
  const configured = configList(spec, 'node-ip')
  const families = familiesOf(spec.config)
  const ips = configured.length > 0 ? configured : nodeIpsOf(facts, families)
  if (nodeIpOf(facts) !== undefined || configured.length > 0) {
    const missing = families?.filter(
      (family) => !ips.some((ip) => ip !== undefined && familyOf(ip) === family),
    )
    if (missing?.length) return [familyMissing(spec, machine, missing)]
  }
  const chosen = ips[0]
  if (chosen === undefined) {
    const seen = facts.addresses.map((entry) => entry.address).join(', ') || 'none'
    return [
      problem('node-ip-unknown', machine.name, `no address for the node can be chosen (addresses: ${seen})`),
    ]
  }
  const strange = ips.find((ip) => !facts.addresses.some((entry) => entry.address === ip))
  if (facts.addresses.length > 0 && strange !== undefined) {
    const seen = facts.addresses.map((entry) => entry.address).join(', ')
    return [
      problem(
        'node-ip-mismatch',
        machine.name,
        `${strange} is not an address of the machine (it has ${seen})`,
      ),
    ]
  }
  const first = machines[0]
  const other = first && (configured[0] ?? nodeIpsOf(first.facts, families)[0])
  if (other !== undefined && other.includes(':') !== chosen.includes(':')) {
    return [
      problem(
        'node-ip-mismatch',
        machine.name,
        `the node would be ${chosen}, the first master is ${other}: not the same family`,
      ),
    ]
  }
  return []
}

/** k3s ends itself where node-ip has not the families of cluster-cidr. */
function familyMissing(
  spec: ClusterSpec,
  machine: CheckInput['machine'],
  missing: readonly IpFamily[],
): Problem {
  const { facts, name } = machine
  const device = nodeDevice(facts) ?? facts.defaultRoute?.device ?? 'the device of its default route'
  const seen = facts.addresses.map((entry) => `${entry.address} (${entry.device})`).join(', ') || 'none'
  const what = missing.map((family) => `IPv${family}`).join(' and ')
  const cidrs = configList(spec, 'cluster-cidr').join(',')
  if (configList(spec, 'node-ip').length > 0)
    return problem('node-ip-family', name, `node-ip has no ${what}, and the pods have ${cidrs}`, {
      fix: 'name an address of each family: --set node-ip=IPV4,IPV6; or leave node-ip out',
    })
  return problem(
    'node-ip-family',
    name,
    `the pods have ${cidrs}, and ${device} has no lasting address of ${what} (addresses: ${seen})`,
    {
      fix: missing.includes(6)
        ? `give ${device} one: ip -6 addr add fd00:1::N/64 dev ${device}, and in the configuration of its network; or choose cluster-cidr and service-cidr of IPv4 only`
        : `give ${device} one; or choose cluster-cidr and service-cidr of IPv6 only`,
    },
  )
}

function checkCidrs({ spec, machine }: CheckInput): Problem[] {
  const found: Problem[] = []
  for (const key of CLUSTER_NETWORKS) {
    for (const text of clusterNetworks(spec.config, key, false)) {
      const range = parseCidr(text)
      if (!range) continue
      const overlap = overlapOf(range, machine.facts)
      if (!overlap) continue
      const what = key === 'cluster-cidr' ? 'pods' : 'services'
      found.push(
        problem(
          'cidr-overlap',
          machine.name,
          `${overlap.what} ${overlap.broader ? 'holds' : 'lies in'} the network of the ${what}, ${text}`,
          {
            severity: overlap.broader ? 'warning' : 'error',
            fix: `choose a free network: --set ${key}=NETWORK`,
          },
        ),
      )
    }
  }
  return found
}

/**
 * An address inside, or a route. A route to a broader network is no conflict by itself: that of the pods is more specific, and
 * only hides the hosts of that part.
 */
function overlapOf(
  range: IpRange,
  facts: CheckInput['machine']['facts'],
): { readonly what: string; readonly broader: boolean } | undefined {
  const address = facts.addresses.find((entry) => {
    const own = parseCidr(entry.address)
    return own !== undefined && !OWN_DEVICES.test(entry.device) && overlaps(range, own)
  })
  if (address) return { what: `the address ${address.address} (${address.device})`, broader: false }
  const routes = (facts.routes ?? []).flatMap((route) => {
    const net = parseCidr(route.destination)
    if (!net || OWN_DEVICES.test(route.device) || net.first === net.last || !overlaps(range, net)) return []
    const broader = net.first <= range.first && net.last >= range.last
    const equal = net.first === range.first && net.last === range.last
    return [{ what: `the route ${route.destination} (${route.device})`, broader: broader && !equal }]
  })
  return routes.find((route) => !route.broader) ?? routes[0]
}

function checkResolv({ spec, machine }: CheckInput): Problem[] {
  if (configText(spec, 'resolv-conf') !== undefined) return []
  const { resolv } = machine.facts
  if (resolv.nameservers.length === 0)
    return [problem('resolv-missing', machine.name, `${resolv.path} names no resolver`)]
  const choice = chooseResolvConf(machine.facts)
  const strange = resolv.nameservers.filter((server) => !isForPods(server)).join(', ')
  if (choice === undefined || strange === '') return []
  const own = 'nameservers' in choice
  if (own && choice.nameservers.length === 0)
    return [problem('loopback-resolv', machine.name, `${resolv.path} names only ${strange}`)]
  const given = own ? choice.nameservers.join(', ') : choice.path
  return [
    problem(
      'loopback-resolv',
      machine.name,
      `${resolv.path} names ${strange}, which pods cannot reach; they get ${given}`,
      { severity: 'info', fix: 'nothing: airlift sets resolv-conf' },
    ),
  ]
}

function checkFirewall({ spec, machine }: CheckInput): Problem[] {
  const { firewall } = machine.facts
  if (firewall.length === 0) return []
  const master = machine.node.role === 'master'
  const api = configText(spec, 'https-listen-port') ?? '6443'
  const ports = [
    ...(master ? [`${api}/tcp`] : []),
    ...(master && wantsEtcd(spec) ? ['2379-2380/tcp'] : []),
    '10250/tcp',
    ...backendPorts(configText(spec, 'flannel-backend') ?? 'vxlan').map(
      ({ port, protocol }) => `${port}/${protocol}`,
    ),
  ]
  return [
    problem('firewall', machine.name, `${firewall.join(' and ')} is on`, {
      fix: firewallFix(firewall[0] ?? '', ports, [
        ...clusterNetworks(spec.config, 'cluster-cidr', false),
        ...clusterNetworks(spec.config, 'service-cidr', false),
      ]),
    }),
  ]
}

function firewallFix(kind: string, ports: readonly string[], networks: readonly string[]): string {
  if (kind === 'firewalld') {
    const open = ports.map((port) => `--add-port=${port}`).join(' ')
    const trust = networks.map((network) => `--add-source=${network}`).join(' ')
    return `firewall-cmd --permanent ${open}; firewall-cmd --permanent --zone=trusted ${trust}; firewall-cmd --reload`
  }
  if (kind === 'ufw') {
    return [
      ...ports.map((port) => `ufw allow ${port.replace('-', ':')}`),
      ...networks.map((net) => `ufw allow from ${net}`),
    ].join('; ')
  }
  return `let ${ports.join(', ')} in from the other nodes, and everything from ${networks.join(' and ')}`
}

function checkSurroundings({ machine, spec }: CheckInput): Problem[] {
  const { nmCloudSetup, proxyEnv } = machine.facts
  const found: Problem[] = []
  if (nmCloudSetup) found.push(problem('nm-cloud-setup', machine.name, 'nm-cloud-setup is enabled'))
  const names = proxyEnv.map((name) => name.toUpperCase())
  const proxy = proxyEnv.find((name) => /^(HTTPS?|ALL)_PROXY$/i.test(name))
  if (proxy && !names.includes('NO_PROXY') && !configFlag(spec, 'disable-agent')) {
    found.push(problem('proxy-without-noproxy', machine.name, `${proxy} is set, NO_PROXY is not`))
  }
  return found
}
