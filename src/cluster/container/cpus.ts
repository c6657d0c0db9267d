import type { OptionProblem } from './option-problem.js'

/** The engine gives no less: 10 ms of every second. */
const MIN_CPUS = 0.01
const MAX_CPUS = 4096

/** Number of processors of `--cpus`, `2` or `0.5`. */
export function parseCpus(text: string): number | OptionProblem {
  const cpus = /^(?:\d{1,6}(?:\.\d{1,9})?|\.\d{1,9})$/.test(text) ? Number(text) : Number.NaN
  if (cpus >= MIN_CPUS && cpus <= MAX_CPUS) return cpus
  const milli = /^(\d{1,9})m$/.exec(text)?.[1]
  const meant = milli === undefined ? '2 or 0.5' : String(Number(milli) / 1000)
  return { message: `"${text}" is not a number of processors`, hint: `write --cpus ${meant}` }
}
