import type { ClusterSpec } from '../../cluster/spec.js'
import { configFlag, type PreflightMachine, wantsEtcd } from './machine-under-test.js'
import { nodeIpOf } from './node-ip.js'
import { type Problem, problem } from './problem.js'

/** What only shows when machines are compared: the same name, machine id or address twice; an even number of masters. */
export function checkBetween(spec: ClusterSpec, machines: readonly PreflightMachine[]): Problem[] {
  return [
    ...(configFlag(spec, 'with-node-id') ? [] : hostnames(machines)),
    ...machineIds(machines),
    ...addresses(machines),
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

function evenMasters(spec: ClusterSpec): Problem[] {
  const count = spec.masters.length
  if (!wantsEtcd(spec) || count === 0 || count % 2 === 1) return []
  const text = `${count} masters with etcd survive the loss of ${count / 2 - 1}, as ${count - 1} would`
  return [problem('even-masters', spec.masters[0]?.target.text ?? '', text)]
}
