import type { ClusterSpec, NodeSpec } from '../../cluster/spec.js'
import { AirliftError } from '../../core/errors.js'
import { type Action, type Plan, type Step, summarize } from '../../plan/plan.js'
import type { LeaveOptions, MachineWorld, World } from '../runtime.js'
import { nodeAddress } from './config.js'
import { cordonStep, leaveId, leaveSteps } from './leave.js'
import { type Leaver, leaversOf } from './leaver.js'
import { isAt } from './nodes.js'
import { etcdMembers, requireQuorum, throughOf } from './require-leave.js'

/** A node that leaves, whose machine can be reached. */
export type ReachedLeaver = Leaver & { readonly machine: MachineWorld }

/** What differs between kinds of machine when a node leaves. */
export interface MachineSide {
  /** Keeps k3s on the machine from registering or joining again while its Node is deleted. `member`: of embedded etcd. */
  quiet(leaver: ReachedLeaver, member: boolean): readonly Action[]
  /** Removes everything of the cluster from the machine; undefined where nothing is there. */
  remove(leaver: ReachedLeaver): readonly Action[] | undefined
  readonly removeTitle: (leaver: ReachedLeaver) => string
}

/**
 * The plan by which nodes of one role leave: all are cordoned, so that no pod moves from one to the next; workers then leave
 * side by side, masters one after the other. A removal that was cut short is continued where it was. Pure.
 * @throws AirliftError E_REFUSED, E_REMOVE_REFUSED when a Node of that name is another machine's, the reason why a machine
 * cannot be reached
 */
export function planLeave(input: {
  readonly spec: ClusterSpec
  readonly world: World
  readonly leaving: readonly NodeSpec[]
  readonly options: LeaveOptions
  readonly side: MachineSide
}): Plan {
  const { spec, world, leaving, options, side } = input
  const about = { operation: 'delete', name: spec.name, runtime: spec.runtime }
  if (leaving.length === 0) return { ...about, steps: [], summary: summarize([]) }
  const through = throughOf(spec, world, leaving)
  const nodes = through.installed.nodes
  const leavers = leaversOf(world, leaving, nodes)
  for (const leaver of leavers) requireOwn(spec, world, leaver, options)
  const masters = leavers.filter((leaver) => leaver.role === 'master')
  requireQuorum(masters, nodes)
  const known = leavers.filter((leaver) => leaver.known)
  const steps: Step[] = known.map((leaver) => cordonStep({ leaver, through }))
  const cordoned = steps.map((step) => step.id)
  let members = etcdMembers(nodes).map((node) => node.name)
  let before: readonly string[] = []
  for (const leaver of leavers) {
    const serial = leaver.role === 'master'
    const member = serial && members.length > 0
    if (member) members = members.filter((name) => name !== leaver.name)
    const own = oneLeaver({
      leaver,
      through,
      side,
      options,
      member,
      members: member ? members : [],
      needs: [...(leaver.known ? cordoned : []), ...(serial ? before : [])],
      timeoutMs: spec.timeoutMs,
    })
    steps.push(...own)
    const last = own.at(-1)
    if (serial && last) before = [last.id]
  }
  return { ...about, steps, summary: summarize(steps) }
}

function oneLeaver(
  input: Omit<Parameters<typeof leaveSteps>[0], 'quiet'> & {
    readonly side: MachineSide
    readonly member: boolean
  },
): Step[] {
  const { leaver, side } = input
  const reached: ReachedLeaver | undefined = leaver.machine
    ? { ...leaver, machine: leaver.machine }
    : undefined
  const removal = reached && side.remove(reached)
  const steps: Step[] = []
  // Where the Node is gone and the machine is bare, there is nothing left to do.
  if (leaver.name && (leaver.known || removal)) {
    const quiet = reached && removal ? side.quiet(reached, input.member) : []
    steps.push(...leaveSteps({ ...input, quiet }))
  }
  if (reached && removal) {
    steps.push({
      id: leaveId.remove(leaver),
      machine: leaver.id,
      title: side.removeTitle(reached),
      needs: steps.slice(-1).map((step) => step.id),
      effect: 'remove',
      journal: false,
      actions: removal,
    })
  }
  return steps
}

/** Refuses what may be another machine's Node, and a machine that cannot be reached unless that is said to be known. */
function requireOwn(spec: ClusterSpec, world: World, leaver: Leaver, options: LeaveOptions): void {
  const { machine, known, shown } = leaver
  if (!machine) {
    if (options.force) return
    const reason = world.unreachable.find((entry) => entry.node.target.text === shown)?.error
    throw new AirliftError(
      reason?.code ?? 'E_SSH_UNREACHABLE',
      `${shown} cannot be reached, so it cannot be cleaned${reason ? `: ${reason.message}` : ''}`,
      {
        machine: shown,
        hint: 'bring it back, or, when it is gone for good, take it out of the cluster without cleaning it: --force',
      },
    )
  }
  // A name of a container is that of no other machine, also when the container is gone.
  if (world.engine) return
  if (machine.installed.cluster === spec.name || !known || isAt(known, nodeAddress(machine))) return
  throw new AirliftError(
    'E_REMOVE_REFUSED',
    `the node "${known.name}" is at ${known.address}, and ${shown} at ${nodeAddress(machine)} has only its name`,
    { machine: shown, hint: `name the machine at ${known.address}` },
  )
}
