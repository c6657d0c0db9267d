import { hostname } from 'node:os'
import { LABELS } from '../cluster/container-labels.js'
import { isAlive } from '../cluster/temp-paths.js'
import type { Context } from '../core/context.js'

/** How long the making of something may take, where it cannot be asked whether its command still runs. Milliseconds. */
const UNSEEN_MS = 10 * 60_000
/** And where a process of its number runs: numbers are given again. */
const SEEN_MS = 60 * 60_000

type Labels = Readonly<Record<string, string>>

/** The labels that tell who made something on an engine, and when. */
export function makerLabels(ctx: Context): Record<string, string> {
  return {
    [LABELS.created]: new Date(ctx.clock.now()).toISOString(),
    [LABELS.maker]: `${process.pid}@${hostname()}`,
  }
}

/**
 * Whether the command that made something may still be at work on it: its process runs on this computer; or it runs on
 * another one, or in a container, and began less than ten minutes ago. False for what has no such label.
 */
export function mayBeMaking(labels: Labels, ctx: Context): boolean {
  const [, pid, host] = /^(\d+)@(.+)$/.exec(labels[LABELS.maker] ?? '') ?? []
  const age = ctx.clock.now() - Date.parse(labels[LABELS.created] ?? '')
  if (pid === undefined || Number.isNaN(age)) return false
  return host === hostname() ? age < SEEN_MS && isAlive(Number(pid)) : age < UNSEEN_MS
}
