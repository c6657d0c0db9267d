import type { Problem } from './problem.js'

/** Problems that are the same on several machines, as one row. */
export interface ProblemGroup {
  readonly machines: readonly string[]
  readonly problem: Problem
  /** Errors that `--ignore` named. */
  readonly ignored: boolean
}

const RANK = { error: 0, warning: 1, info: 2 } as const

/** Puts equal problems of several machines together; refusals first, then what was ignored, warnings, the rest. */
export function groupProblems(
  problems: readonly Problem[],
  ignore: readonly string[] = [],
): readonly ProblemGroup[] {
  const groups = new Map<string, { machines: string[]; problem: Problem; ignored: boolean }>()
  for (const problem of problems) {
    const key = `${problem.severity} ${problem.code} ${problem.message} ${problem.fix}`
    const group = groups.get(key)
    if (group) group.machines.push(problem.machine)
    else {
      const ignored = problem.severity === 'error' && problem.ignorable && ignore.includes(problem.code)
      groups.set(key, { machines: [problem.machine], problem, ignored })
    }
  }
  const rank = (group: ProblemGroup): number => RANK[group.problem.severity] + (group.ignored ? 0.5 : 0)
  return [...groups.values()].sort((a, b) => rank(a) - rank(b))
}

/** At most three names, and how many more there are. */
export function shortList(machines: readonly string[]): string {
  const shown = machines.slice(0, 3).join(', ')
  return machines.length > 3 ? `${shown} and ${machines.length - 3} more` : shown
}

/** What a group's first column says. */
export function severityWord(group: ProblemGroup): string {
  if (group.ignored) return 'ignored'
  return group.problem.severity === 'error' ? 'refused' : group.problem.severity
}

/** The table of all problems as plain lines, each row followed by its fix; `info` is left out. */
export function problemLines(problems: readonly Problem[], ignore: readonly string[] = []): string[] {
  const groups = groupProblems(problems, ignore).filter((group) => group.problem.severity !== 'info')
  const rows = groups.map((group) => [severityWord(group), shortList(group.machines), group.problem.code])
  const widths = [0, 1, 2].map((column) => Math.max(0, ...rows.map((row) => (row[column] ?? '').length)))
  return groups.flatMap((group, index) => {
    const cells = (rows[index] ?? []).map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ')
    return [`${cells}  ${group.problem.message}`, `${' '.repeat(cells.length)}  fix: ${group.problem.fix}`]
  })
}
