import { flagOf } from '../cluster/role-flag.js'
import type { ClusterSpec, Role } from '../cluster/spec.js'
import { AirliftError } from '../core/errors.js'
import type { MachineWorld, World } from '../runtime/runtime.js'
import { withRecorded } from './recorded-nodes.js'

/**
 * Refuses to touch what is not this cluster's: a k3s that airlift did not make, a machine of another cluster, a change of
 * role, and a run that would leave out a machine of the cluster. Pure.
 * @throws AirliftError E_FOREIGN_CLUSTER (exit 5), E_REMOVE_REFUSED (exit 2)
 */
export function checkOwnership(spec: ClusterSpec, world: World): void {
  checkMachineOwnership(spec, world, world.machines)
  refuseLeavingOut(spec, world)
}

/** As {@link checkOwnership}, for some machines, and without asking whether all of the cluster are named. Pure. */
export function checkMachineOwnership(
  spec: ClusterSpec,
  world: World,
  machines: readonly MachineWorld[],
): void {
  for (const machine of machines) {
    const { installed, name, node } = machine
    if (installed.foreign) {
      throw new AirliftError('E_FOREIGN_CLUSTER', `${name} already runs ${installed.foreign}`, {
        machine: name,
        hint: `take another machine, or remove what is there first (on ${name}: k3s-uninstall.sh or k3s-agent-uninstall.sh)`,
      })
    }
    if (installed.cluster !== undefined && installed.cluster !== spec.name) {
      throw new AirliftError(
        'E_FOREIGN_CLUSTER',
        `${name} belongs to the cluster "${installed.cluster}", not to "${spec.name}"`,
        {
          machine: name,
          hint: `use --name ${installed.cluster}, or remove it there first: airlift reset --name ${installed.cluster} --masters …`,
        },
      )
    }
    if (installed.role !== undefined && installed.role !== node.role) {
      throw new AirliftError(
        'E_REMOVE_REFUSED',
        `${name} is a ${installed.role} of this cluster and was named as a ${node.role}`,
        {
          machine: name,
          hint: `name it under ${flagOf(installed.role)}, or take it out of the cluster first: airlift delete --name ${spec.name} ${flagOf(installed.role)} ${node.target.text}`,
        },
      )
    }
    checkVersion(world, machine)
  }
}

/**
 * A k3s that airlift did not make, or another cluster's machine, is not touched by naming it. Pure.
 * @throws AirliftError E_FOREIGN_CLUSTER
 */
export function refuseForeign(spec: ClusterSpec, world: World): void {
  for (const { installed, name } of world.machines) {
    if (installed.foreign) {
      throw new AirliftError('E_FOREIGN_CLUSTER', `${name} runs ${installed.foreign}`, {
        machine: name,
        hint: `airlift touches only what it made; to remove it, on ${name}: k3s-uninstall.sh or k3s-agent-uninstall.sh`,
      })
    }
    if (installed.cluster !== undefined && installed.cluster !== spec.name) {
      throw new AirliftError(
        'E_FOREIGN_CLUSTER',
        `${name} belongs to the cluster "${installed.cluster}", not to "${spec.name}"`,
        {
          machine: name,
          hint: `use --name ${installed.cluster}`,
        },
      )
    }
  }
}

/**
 * Hosts that run another release than the rootfs says it holds: its name is wrong, and all that was decided by it. Containers
 * take their release from their image. `machines` are those that are looked at. Pure.
 */
export function otherRelease(
  spec: ClusterSpec,
  world: World,
  machines: readonly MachineWorld[] = world.machines,
): AirliftError | undefined {
  const wanted = world.rootfs?.manifest.version
  if (spec.containers || wanted === undefined) return undefined
  for (const { name, installed } of machines) {
    const { version } = installed
    if (version === undefined || version === wanted) continue
    return new AirliftError(
      'E_VERIFY',
      `${name} runs k3s ${version}, and the rootfs says that it holds ${wanted}`,
      {
        machine: name,
        hint: `build the rootfs again with --version ${version}, which is what its program is, and run the same command with it`,
      },
    )
  }
  return undefined
}

function checkVersion(world: World, machine: MachineWorld): void {
  const wanted = world.rootfs?.manifest.version
  const found = machine.installed.version
  if (!wanted || !found || !machine.installed.initialized || found === wanted) return
  throw new AirliftError('E_UNSUPPORTED', `${machine.name} runs ${found}, and the rootfs holds ${wanted}`, {
    machine: machine.name,
    hint: `use a rootfs of ${found}: run does not change the version of a cluster`,
  })
}

/** `run` only adds: a node that the cluster knows and that was not named would be forgotten, not removed. */
function refuseLeavingOut(spec: ClusterSpec, world: World): void {
  const named = new Set(world.machines.map((machine) => machine.facts.hostname.toLowerCase()))
  const known =
    world.machines.find((machine) => machine.installed.nodes && machine.installed.cluster === spec.name)
      ?.installed.nodes ?? []
  const left = known.filter((node) => !named.has(node.name))
  if (left.length === 0) return
  for (const node of left) refuseRenamed(node, world)
  const names = left.map((node) => `${node.name} (${node.role}, ${node.address})`).join(', ')
  const gone = (role: Role): string[] => left.filter((node) => node.role === role).map(({ name }) => name)
  throw leftOut(spec, world, names, gone)
}

/**
 * `run` writes anew which machines the cluster has. One that the records of its masters name, and the command does not, may
 * have been begun or half removed by a command that was cut off, so that the cluster itself does not know it: forgotten, it
 * would keep what is there for ever, since no `reset` would look at it.
 * @throws AirliftError E_REMOVE_REFUSED (exit 2)
 */
export async function refuseForgetting(spec: ClusterSpec, world: World): Promise<void> {
  if (world.engine) return
  const masters = mastersOf(spec, world)
  const whole = await withRecorded(spec, masters)
  const masterHosts = whole.masters.slice(spec.masters.length).map(({ target }) => target.text)
  const workerHosts = whole.nodes.slice(spec.nodes.length).map(({ target }) => target.text)
  const names = [
    ...masterHosts.map((host) => `${host} (master)`),
    ...workerHosts.map((host) => `${host} (worker)`),
  ]
  if (names.length === 0) return
  throw leftOut(spec, world, names.join(', '), (role) => (role === 'master' ? masterHosts : workerHosts))
}

/** The masters that were named and are of the cluster. */
function mastersOf(spec: ClusterSpec, world: World): readonly MachineWorld[] {
  return world.machines.filter(
    ({ node, installed }) => node.role === 'master' && installed.cluster === spec.name,
  )
}

/** What can be done about machines that a run left out, where one of the masters answers, and where none does. */
function leftOut(
  spec: ClusterSpec,
  world: World,
  names: string,
  hostsOf: (role: Role) => readonly string[],
): AirliftError {
  const flags = (['master', 'worker'] as const).flatMap((role) => {
    const hosts = hostsOf(role)
    return hosts.length === 0 ? [] : [`${flagOf(role)} ${hosts.join(',')}`]
  })
  const masters = mastersOf(spec, world)
  const through = masters.find(({ installed }) => installed.apiReady)
  const entry = (through ?? masters[0])?.name
  const out = `airlift delete --name ${spec.name} --through ${entry} ${flags.join(' ')}`
  const remedy = through
    ? `to take them out: ${out}`
    : masters.some(({ installed }) => installed.initialized)
      ? `to take them out, first start it, airlift start --name ${spec.name} --masters ${entry}, and then: ${out}`
      : `or remove the whole cluster and begin anew: airlift reset --name ${spec.name} --masters ${entry}`
  return new AirliftError(
    'E_REMOVE_REFUSED',
    `the cluster "${spec.name}" also has ${names}, which the command does not name`,
    { hint: `name all machines of the cluster; ${remedy}` },
  )
}

/** Nodes have the names of their hosts: under another name a host would join as one more node. */
function refuseRenamed(node: { readonly name: string; readonly address: string }, world: World): void {
  const host = world.machines.find(
    ({ facts, installed }) =>
      installed.role !== undefined && facts.addresses.some(({ address }) => address === node.address),
  )
  if (!host) return
  throw new AirliftError(
    'E_REMOVE_REFUSED',
    `${host.name} is the node "${node.name}" of the cluster, and its hostname is now "${host.facts.hostname}"`,
    {
      machine: host.name,
      hint: `give it its name again, on ${host.name}: hostnamectl set-hostname ${node.name}`,
    },
  )
}
