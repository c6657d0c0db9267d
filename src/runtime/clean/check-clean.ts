import type { Context } from '../../core/context.js'
import { AirliftError } from '../../core/errors.js'
import type { Machine } from '../../machine/machine.js'
import { type Problem, problem } from '../preflight/problem.js'
import { CLEAN_END, CLEAN_KINDS, type CleanKind, cleanScript } from './clean-script.js'

/** One thing that is left on a machine. */
export interface Remain {
  readonly kind: CleanKind
  /** The path, name or rule. */
  readonly evidence: string
}

/** What each kind is called, and how it is removed by hand. */
const KINDS: Readonly<Record<CleanKind, { readonly title: string; readonly fix: string }>> = {
  service: {
    title: 'service',
    fix: 'run airlift reset again; by hand: disable the unit, delete its file, systemctl reset-failed',
  },
  process: { title: 'process', fix: 'run airlift reset again; by hand: kill it' },
  mount: { title: 'mount', fix: 'see what uses it with fuser -vm, unmount it, run airlift reset again' },
  netns: { title: 'network namespace', fix: 'ip netns delete NAME' },
  link: { title: 'network interface', fix: 'ip link delete NAME' },
  iptables: { title: 'iptables rule', fix: 'run airlift reset again, or reboot' },
  nftables: { title: 'nftables table', fix: 'nft delete TABLE, or reboot' },
  ipset: { title: 'ipset', fix: 'ipset destroy NAME, or reboot' },
  path: { title: 'path', fix: 'run airlift reset again; by hand: remove it' },
  cgroup: { title: 'cgroup', fix: 'rmdir it when no process is in it, or reboot' },
}

/** Things of one kind that are named one by one; the rest is counted. */
const SHOWN = 5

/**
 * Proves that a machine is bare: one script, one round trip, nothing changed. An empty list is the proof.
 * @throws AirliftError E_COMMAND when the check did not come to its end, and what `machine.run` throws
 */
export async function checkClean(machine: Machine, ctx: Pick<Context, 'signal'>): Promise<Problem[]> {
  const result = await machine.run(cleanScript(), {
    root: true,
    idempotent: true,
    timeoutMs: 120_000,
    signal: ctx.signal,
  })
  if (result.exitCode !== 0 || !result.stdout.includes(CLEAN_END)) {
    throw new AirliftError('E_COMMAND', 'the check for remains did not come to its end', {
      machine: machine.name,
      log: result.stderr.trim().split('\n').slice(-3),
    })
  }
  return cleanProblems(machine.name, parseClean(result.stdout))
}

/** Reads the script's answer. Pure. */
export function parseClean(text: string): readonly Remain[] {
  const seen = new Set<string>()
  return text.split('\n').flatMap((line) => {
    const [word, kind = '', ...rest] = line.split('\t')
    const evidence = rest.join('\t').trim()
    const known = CLEAN_KINDS.find((entry) => entry === kind)
    if (word !== 'left' || !known || seen.has(line)) return []
    seen.add(line)
    return [{ kind: known, evidence }]
  })
}

/** Remains as problems: the first few of each kind by name, the others as a number. */
export function cleanProblems(machine: string, remains: readonly Remain[]): Problem[] {
  return CLEAN_KINDS.flatMap((kind) => {
    const some = remains.filter((remain) => remain.kind === kind)
    const { title, fix } = KINDS[kind]
    const named = some
      .slice(0, SHOWN)
      .map(({ evidence }) => problem('not-clean', machine, `${title} ${evidence} is left`, { fix }))
    const more = some.length - named.length
    if (more > 0)
      named.push(problem('not-clean', machine, `${more} more of this kind are left: ${title}`, { fix }))
    return named
  })
}
