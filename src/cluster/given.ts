import { shownArg } from './container/k3s-args.js'
import { groupRoles } from './filters.js'
import type { Given, GivenFor, Role, Taint } from './spec.js'

/** Keys of options: the flag with what may be there once on a node. They hold no secrets. */
export const GIVEN = {
  env: (name: string): string => `--env ${name}`,
  volume: (target: string): string => `--volume ${target}`,
  file: (path: string): string => `--file ${path}`,
  runtimeLabel: (key: string): string => `--runtime-label ${key}`,
  k3sArg: (arg: string): string => `--k3s-arg ${shownArg(arg)}`,
  memory: '--memory',
  cpus: '--cpus',
  label: (key: string): string => `--node-label ${key}`,
  taint: ({ key, effect }: Pick<Taint, 'key' | 'effect'>): string => `--node-taint ${key}:${effect}`,
} as const

const WIDTH: Readonly<Record<GivenFor, number>> = { node: 0, role: 1, all: 2 }

/** For whom a filter gives an option to a node of a role: `workers:*` and `all` mean those that come later, too, numbers do not. */
export function givenFor(filter: string | undefined, role: Role): GivenFor {
  const roles = groupRoles(filter ?? 'all')
  if (!roles.includes(role)) return 'node'
  return roles.length > 1 ? 'all' : 'role'
}

/** Notes for whom an option was given; of two filters that gave the same the wider one counts. */
export function noteGiven(given: Map<string, GivenFor>, key: string, scope: GivenFor): void {
  const before = given.get(key)
  if (before === undefined || WIDTH[scope] > WIDTH[before]) given.set(key, scope)
}

/** What was noted, as specs and records hold it: sorted, and nothing where nothing was. */
export function givenOf(...noted: readonly Iterable<readonly [string, GivenFor]>[]): { given?: Given } {
  const all = noted.flatMap((entries) => [...entries]).sort(([a], [b]) => (a < b ? -1 : 1))
  return all.length > 0 ? { given: Object.fromEntries(all) } : {}
}
