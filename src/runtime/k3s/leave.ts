import type { Action, Step } from '../../plan/plan.js'
import type { LeaveOptions, MachineWorld } from '../runtime.js'
import { type DrainAdvice, type DrainOptions, drainLimitMs, drainScript } from './drain-script.js'
import { cordonScript, leaveScript, waitMemberGone, waitMembersHealthy } from './leave-scripts.js'
import type { Leaver } from './leaver.js'

/** How long pods may take to leave a node when nothing is said: 5 minutes, 30 seconds when they are to go anyway. */
export function drainTimeout(options: LeaveOptions): number {
  return options.drainTimeoutMs ?? (options.force ? 30_000 : 300_000)
}

/** Ids of the steps of a node that leaves. */
export const leaveId = {
  cordon: (leaver: Leaver): string => `${leaver.name}/cordon`,
  drain: (leaver: Leaver): string => `${leaver.name}/drain`,
  quiet: (leaver: Leaver): string => `${leaver.name}/quiet`,
  leave: (leaver: Leaver): string => `${leaver.name}/leave`,
  remove: (leaver: Leaver): string => `${leaver.name || leaver.shown}/remove`,
}

/** What one node's leaving is planned from. */
export interface LeaveInput {
  readonly leaver: Leaver
  /** The master on which everything of the cluster's side runs. */
  readonly through: MachineWorld
  /** Names of the masters that stay members of etcd; empty where this node is no member. */
  readonly members: readonly string[]
  readonly options: LeaveOptions
  /** Steps that must be done before the node is drained. */
  readonly needs: readonly string[]
  /** Keeps k3s on the machine from registering or joining again; runs there, after the drain. Empty where it is not needed. */
  readonly quiet: readonly Action[]
  /** Longest wait for one thing. */
  readonly timeoutMs: number
}

/** The step that keeps new pods off a node that is to leave, before any of those that leave is drained. */
export function cordonStep({ leaver, through }: Pick<LeaveInput, 'leaver' | 'through'>): Step {
  return {
    id: leaveId.cordon(leaver),
    machine: through.id,
    subject: leaver.id,
    title: `cordon ${leaver.name}`,
    needs: [],
    effect: 'change',
    actions: [{ kind: 'script', script: cordonScript(leaver.name), timeoutMs: 60_000 }],
  }
}

/**
 * The cluster's side of one node's leaving: its pods go, its machine is kept from coming back, and its Node, its password and
 * its membership of etcd are deleted, which is then read back. A member of etcd stays alive until it is out, since two can
 * only agree while both live; it is gone from the list before anything on its machine is removed.
 */
export function leaveSteps(input: LeaveInput): Step[] {
  const { leaver, through, members, timeoutMs } = input
  const about = { subject: leaver.id }
  const steps: Step[] = []
  let needs = input.needs
  const add = (step: Omit<Step, 'needs'>): void => {
    steps.push({ ...step, needs })
    needs = [step.id]
  }
  const gate = members.length > 0 ? [waitMembersHealthy(members, timeoutMs)] : []
  if (leaver.known) {
    const drainMs = drainTimeout(input.options)
    const force = input.options.force === true
    const drain: DrainOptions = {
      timeoutMs: drainMs,
      otherwise: force ? 'force' : adviceFor(leaver.name),
      alive: leaver.machine !== undefined && leaver.known.ready,
    }
    add({
      id: leaveId.drain(leaver),
      machine: through.id,
      ...about,
      title: `drain ${leaver.name}, at most ${Math.ceil(drainMs / 1000)}s${force ? ', then delete its pods' : ''}`,
      ...(leaver.role === 'worker' ? { window: 'drain' as const } : {}),
      effect: 'change',
      actions: [
        ...gate,
        {
          kind: 'script',
          script: drainScript(leaver.name, drain),
          timeoutMs: drainLimitMs(drain),
        },
      ],
    })
  }
  if (input.quiet.length > 0) {
    add({
      id: leaveId.quiet(leaver),
      machine: leaver.id,
      title: `keep k3s on ${leaver.name} from joining again`,
      effect: 'change',
      actions: input.quiet,
    })
  }
  add({
    id: leaveId.leave(leaver),
    machine: through.id,
    ...about,
    title:
      members.length > 0
        ? `take ${leaver.name} out of etcd and of the cluster`
        : `delete node ${leaver.name}`,
    effect: 'remove',
    actions: [
      ...gate,
      {
        kind: 'script',
        script: leaveScript(leaver.name, { member: members.length > 0 }),
        timeoutMs: 180_000,
      },
      ...(members.length > 0 ? [waitMemberGone(leaver.name, members, timeoutMs)] : []),
    ],
  })
  return steps
}

/** What may be done about a node that does not get empty. */
function adviceFor(node: string): DrainAdvice {
  const advice = (what: string): string =>
    `${node} stays cordoned and is otherwise unchanged; ${what}; to keep the node: k3s kubectl uncordon ${node}`
  return {
    budget: advice(
      'give its pods another place or change the budget and run the same command again, wait longer with --drain-timeout, or delete them with --force',
    ),
    bare: advice('move them, or delete them with --force'),
    late: advice('run the same command again, wait longer with --drain-timeout, or use --force'),
  }
}
