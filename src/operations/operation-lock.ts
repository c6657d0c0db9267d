import { randomUUID } from 'node:crypto'
import { hostname, userInfo } from 'node:os'
import { LABELS } from '../cluster/container-labels.js'
import type { Context } from '../core/context.js'
import { AirliftError } from '../core/errors.js'
import { containerId } from '../machine/container-id.js'
import type { PlanLock } from '../plan/execute.js'
import type { World } from '../runtime/runtime.js'

/** How long a lock that was just seen may take to go: the end of a connection takes its server a moment. */
const GRACE_MS = 3_000

/**
 * The lock that an operation takes on each machine with the first script that changes it, and what must not have changed
 * since the machines were looked at. It costs no round trip and needs no release: it ends with the connection.
 */
export function operationLock(operation: string, world: World, ctx: Context): PlanLock {
  const seen = world.machines.flatMap(({ id, facts }) =>
    facts.managed.lock ? [[id, facts.managed.lock.id] as const] : [],
  )
  // A container that does not run keeps its lock, which nobody can read before it is started.
  const unseen = world.engine ? world.machines.filter(({ installed }) => !installed.active) : []
  // Nor is a load balancer ever looked into.
  const balancers = (world.engine?.containers ?? []).filter(({ labels }) => labels[LABELS.role] === 'lb')
  const since = new Date(ctx.clock.now()).toISOString().slice(0, 19)
  return {
    owner: { id: randomUUID(), who: `${userName()}@${hostname()}`, operation, since: `${since}Z` },
    seen: new Map(seen),
    unseen: new Set([...unseen.map(({ id }) => id), ...balancers.map(({ name }) => containerId(name))]),
  }
}

/**
 * Gives back the world when nobody works on any of its machines. A lock that is held is looked at once more after a moment.
 * @throws AirliftError E_LOCKED with who holds it, since when, and with what
 */
export async function requireUnlocked(
  world: World,
  observe: () => Promise<World>,
  ctx: Context,
): Promise<World> {
  if (!heldIn(world)) return world
  await ctx.clock.sleep(GRACE_MS, ctx.signal)
  const again = await observe()
  const held = heldIn(again)
  if (!held) return again
  const { who, operation, since } = held.lock
  throw new AirliftError(
    'E_LOCKED',
    `${who} is working on this machine: airlift ${operation}, since ${since}`,
    {
      machine: held.name,
      hint: 'wait until it is done, then run the same command again',
      data: { who, operation, since },
    },
  )
}

function heldIn(world: World) {
  for (const { name, facts } of world.machines) {
    const { lock } = facts.managed
    if (lock?.held) return { name, lock }
  }
  return undefined
}

/** A user id without a name, as in containers, is no reason to fail. */
function userName(): string {
  try {
    return userInfo().username
  } catch {
    return String(process.getuid?.() ?? 'somebody')
  }
}
