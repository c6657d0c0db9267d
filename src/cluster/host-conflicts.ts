import { isIPv6 } from 'node:net'
import type { SpecProblem } from './problems.js'
import type { MachineTarget } from './spec.js'

/** What makes two targets the same machine: host and port. The user does not count, nor does the case of the name. */
export function machineKey(target: MachineTarget, defaultPort = 22): string {
  if (target.kind === 'local') return 'local'
  // URL gives the one short form of an IPv6 address; it does not take zones.
  const host =
    isIPv6(target.host) && !target.host.includes('%')
      ? new URL(`http://[${target.host}]`).hostname
      : target.host.toLowerCase().replace(/\.$/, '')
  return `${host}:${target.port ?? defaultPort}`
}

/** Finds hosts that are named twice, in one list or in both. `defaultPort` is `--ssh-port`, default 22. */
export function findHostConflicts(
  masters: readonly MachineTarget[],
  nodes: readonly MachineTarget[],
  defaultPort = 22,
): SpecProblem[] {
  const problems: SpecProblem[] = []
  const seen = new Map<string, { flag: string; target: MachineTarget }>()
  const visit = (flag: string, target: MachineTarget): void => {
    const key = machineKey(target, defaultPort)
    const before = seen.get(key)
    if (before === undefined) {
      seen.set(key, { flag, target })
      return
    }
    const as = before.target.text === target.text ? '' : ` (also as ${before.target.text})`
    if (before.flag === flag) {
      const message = `host ${target.text} is named twice${as}`
      problems.push({ code: 'E_HOST_INVALID', path: flag, message, hint: 'name each host once' })
    } else {
      const message = `host ${target.text} is both a master and a worker${as}`
      const hint = 'masters run workloads too: leave it out of --nodes'
      problems.push({ code: 'E_HOST_INVALID', path: '--nodes', message, hint })
    }
  }
  for (const target of masters) visit('--masters', target)
  for (const target of nodes) visit('--nodes', target)
  return problems
}
