import { performance } from 'node:perf_hooks'

/** One claim: what was measured, against what, and what it must reach. */
export interface Claim {
  readonly what: string
  readonly ours: readonly number[]
  readonly theirs?: readonly number[]
  readonly peer?: string
  readonly unit: string
  /** The ratio ours/theirs (or, with `absolute`, our own figure) may be at most so much; `atLeast` turns it round. */
  readonly limit?: number
  readonly atLeast?: boolean
  readonly absolute?: boolean
}

/** The middle value. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  const [low, high] = [
    sorted[sorted.length % 2 === 0 ? middle - 1 : middle] ?? Number.NaN,
    sorted[middle] ?? Number.NaN,
  ]
  return (low + high) / 2
}

/** Seconds that a task takes. */
export async function seconds(task: () => Promise<unknown>): Promise<number> {
  const start = performance.now()
  await task()
  return (performance.now() - start) / 1000
}

/** Whether a claim is reached; undefined when it only informs. */
export function reached(claim: Claim): boolean | undefined {
  if (claim.limit === undefined) return undefined
  const value =
    claim.absolute || !claim.theirs ? median(claim.ours) : median(claim.ours) / median(claim.theirs)
  return claim.atLeast ? value >= claim.limit : value <= claim.limit
}

const figure = (value: number): string =>
  value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2)

/** One line for a claim. */
export function describe(claim: Claim): string {
  const ours = `${figure(median(claim.ours))} ${claim.unit}`
  const theirs = claim.theirs
    ? `  ${claim.peer}: ${figure(median(claim.theirs))} ${claim.unit}  ratio ${(median(claim.ours) / median(claim.theirs)).toFixed(2)}`
    : ''
  const sign = claim.atLeast ? '>=' : '<='
  const verdict =
    reached(claim) === undefined ? '' : `  (${sign} ${claim.limit}) ${reached(claim) ? 'ok' : 'MISSED'}`
  return `${claim.what}: ${ours}${theirs}${verdict}  [${claim.ours.map(figure).join(' ')}${claim.theirs ? ` | ${claim.theirs.map(figure).join(' ')}` : ''}]`
}
