import { readFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { LABELS } from '../cluster/container-labels.js'
import { isAlive } from '../cluster/is-alive.js'
import type { Context } from '../core/context.js'

/** How long the making of something may take, where it cannot be asked whether its command still runs. Milliseconds. */
const UNSEEN_MS = 10 * 60_000
/** And where a process of its number runs: numbers are given again. */
const SEEN_MS = 60 * 60_000

/** The unit of times in /proc: USER_HZ is 100 on every Linux that k3s is built for. */
const TICK_MS = 10
/** Both clocks are read with some error, and the wall clock may be set. */
const SLACK_MS = 5_000

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
export function mayBeMaking(labels: Labels, ctx: Context, unseenMs = UNSEEN_MS): boolean {
  const [, pid, host] = /^(\d+)@(.+)$/.exec(labels[LABELS.maker] ?? '') ?? []
  const age = ctx.clock.now() - Date.parse(labels[LABELS.created] ?? '')
  if (pid === undefined || Number.isNaN(age)) return false
  if (host !== hostname()) return age < unseenMs
  return age < SEEN_MS && isAlive(Number(pid)) && !isAnother(Number(pid), age)
}

/**
 * Whether a process cannot be one that made something so long ago: it began later, and only has its number; or it has ended,
 * and nobody has taken note. False where that is not known.
 */
function isAnother(pid: number, ageMs: number): boolean {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /s, '')
      .split(' ')
    const upMs = Number(readFileSync('/proc/uptime', 'utf8').split(' ')[0]) * 1000
    return fields[0] === 'Z' || upMs - Number(fields[19]) * TICK_MS < ageMs - SLACK_MS
  } catch {
    return false
  }
}
