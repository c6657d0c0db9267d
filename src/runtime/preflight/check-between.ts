import { clusterNetworks } from '../../cluster/cluster-networks.js'
import type { ClusterSpec } from '../../cluster/spec.js'
import { familyOf, prefixOf } from '../../core/cidr.js'
import { configList, type PreflightMachine, wantsEtcd } from './machine-under-test.js'
import { nodeDevice, nodeIpOf } from './node-ip.js'
import { type Problem, problem } from './problem.js'

/**
 * What only shows when machines are compared: the same name, machine id or address twice; packets of
 * other lengths; more nodes than the network of the pods has parts for; an even number of masters.
 */
export function checkBetween(spec: ClusterSpec, machines: readonly PreflightMachine[]): Problem[] {
  return [
    ...hostnames(machines),
    ...machineIds(machines),
    ...addresses(machines),
    ...packetLengths(machines),
    ...podNetwork(spec),
    ...evenMasters(spec),
  ]
}

function hostnames(machines: readonly PreflightMachine[]): Problem[] {
  return twice(machines, ({ facts }) => facts.hostname.toLowerCase() || undefined).map(
    ([machine, first, value]) =>
      problem('duplicate-hostname', machine.name, `the host name "${value}" is also that of ${first.name}`, {
        fix: `hostnamectl set-hostname ANOTHER-NAME on ${machine.name}`,
      }),
  )
}

function machineIds(machines: readonly PreflightMachine[]): Problem[] {
  return twice(machines, ({ facts }) => facts.machineId).map(([machine, first, value]) =>
    problem('duplicate-machine-id', machine.name, `the machine id ${value} is also that of ${first.name}`),
  )
}

function addresses(machines: readonly PreflightMachine[]): Problem[] {
  return twice(machines, ({ facts }) => nodeIpOf(facts)).map(([machine, first, value]) =>
    problem(
      'duplicate-address',
      machine.name,
      `the node's address would be ${value}, which is also that of ${first.name}`,
    ),
  )
}

/** Each machine whose value an earlier one has already, with that one. */
function twice(
  machines: readonly PreflightMachine[],
  valueIn: (machine: PreflightMachine) => string | undefined,
): [PreflightMachine, PreflightMachine, string][] {
  const first = new Map<string, PreflightMachine>()
  const found: [PreflightMachine, PreflightMachine, string][] = []
  for (const machine of machines) {
    const value = valueIn(machine)
    if (value === undefined) continue
    const other = first.get(value)
    if (other) found.push([machine, other, value])
    else first.set(value, machine)
  }
  return found
}

/** IPv6 asks for packets of 1280 bytes; those of flannel's vxlan carry 50 of their own. */
const LEAST_MTU = 1280 + 50

/** One problem for all: which of the lengths is right is not for one machine to tell. */
function packetLengths(machines: readonly PreflightMachine[]): Problem[] {
  const known = machines.flatMap(({ name, facts }) => {
    const device = nodeDevice(facts) ?? facts.defaultRoute?.device ?? ''
    const mtu = facts.mtus?.[device]
    return mtu === undefined ? [] : [{ name, device, mtu }]
  })
  const longest = Math.max(...known.map(({ mtu }) => mtu))
  return known.flatMap(({ name, device, mtu }): Problem[] => {
    const fix = (length: number): string =>
      `ip link set dev ${device} mtu ${length}, and in the configuration of its network; or the same on all machines`
    if (mtu < LEAST_MTU) {
      const text = `${device} carries packets of ${mtu} bytes, pods need ${LEAST_MTU}`
      return [problem('mtu', name, text, { fix: fix(Math.max(longest, LEAST_MTU)) })]
    }
    if (mtu === longest) return []
    return [
      problem('mtu', name, `${device} carries packets of ${mtu} bytes, that of other machines ${longest}`, {
        fix: fix(longest),
      }),
    ]
  })
}

/** Each node is given a part of the network of the pods, of 256 addresses unless the configuration says otherwise. */
function podNetwork(spec: ClusterSpec): Problem[] {
  const count = spec.masters.length + spec.nodes.length
  return clusterNetworks(spec.config, 'cluster-cidr', false).flatMap((cidr): Problem[] => {
    const prefix = prefixOf(cidr)
    if (prefix === undefined) return []
    const part = partPrefix(spec, familyOf(cidr))
    const parts = part < prefix ? 0 : 2 ** (part - prefix)
    if (parts >= count) return []
    const text = `${cidr} has room for ${parts} ${parts === 1 ? 'node' : 'nodes'} with a /${part} each, and there are ${count}`
    return [problem('pod-network-small', spec.masters[0]?.target.text ?? '', text)]
  })
}

function partPrefix(spec: ClusterSpec, family: 4 | 6): number {
  const flag = new RegExp(`^(?:--)?node-cidr-mask-size(?:-ipv${family})?=(\\d+)$`)
  const told = configList(spec, 'kube-controller-manager-arg').map((arg) => flag.exec(arg.trim())?.[1])
  return Number(told.findLast((size) => size !== undefined) ?? (family === 4 ? 24 : 64))
}

function evenMasters(spec: ClusterSpec): Problem[] {
  const count = spec.masters.length
  if (!wantsEtcd(spec) || count === 0 || count % 2 === 1) return []
  const text = `${count} masters with etcd survive the loss of ${count / 2 - 1}, as ${count - 1} would`
  return [problem('even-masters', spec.masters[0]?.target.text ?? '', text)]
}
