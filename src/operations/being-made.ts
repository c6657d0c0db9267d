import { LABELS } from '../cluster/container-labels.js'
import type { ClusterSpec } from '../cluster/spec.js'
import type { Context } from '../core/context.js'
import { AirliftError } from '../core/errors.js'
import type { World } from '../runtime/runtime.js'
import { makerLabels, mayBeMaking } from './maker.js'

/** Of a command on another computer only this is known: it was there when its first volume was made. Milliseconds. */
const UNSEEN_MS = 60_000

type Labels = Readonly<Record<string, string>>

/**
 * Refuses to go on with containers that another command is still making: two that both believe to found the cluster would
 * give it two tokens. Later the machines themselves have a lock. @throws AirliftError E_LOCKED
 */
export function requireNotBeingMade({ name }: ClusterSpec, world: World, ctx: Context): void {
  const { engine, machines } = world
  if (!engine || machines.some(({ installed }) => installed.initialized)) return
  for (const { labels } of [...engine.volumes, ...engine.containers]) refuseMaker(name, labels, ctx)
}

/** @throws AirliftError E_LOCKED where what has these labels is of another command, which is still at work */
export function refuseMaker(cluster: string, labels: Labels, ctx: Context): void {
  const maker = labels[LABELS.maker]
  if (maker === makerLabels(ctx)[LABELS.maker] || !mayBeMaking(labels, ctx, UNSEEN_MS)) return
  const [pid, host] = (maker ?? '').split('@')
  throw new AirliftError(
    'E_LOCKED',
    `another airlift is making the cluster "${cluster}": process ${pid} on ${host}, since ${labels[LABELS.created]}`,
    {
      hint: 'wait until it is done, then run the same command again; or choose another --name',
      data: { maker },
    },
  )
}
