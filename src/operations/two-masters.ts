import type { Context } from '../core/context.js'

/** Warns of a cluster with two masters in embedded etcd; says nothing for other numbers. */
export function warnOfTwoMasters(masters: number, ctx: Context): void {
  if (masters !== 2) return
  ctx.events.emit({
    level: 'warn',
    code: 'masters.two',
    message:
      'two masters are less safe than one: etcd needs a majority, so losing either stops the API; with three any one may be lost',
  })
}
