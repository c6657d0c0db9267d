import { type CheckInput, isContainer } from './machine-under-test.js'
import { type Problem, problem } from './problem.js'

/** Certificates of k3s are valid from the second in which they are made; half a minute is what a first start takes. */
const TOLERATED_MS = 30_000

/** The machine's clock against this computer's, and whether anything keeps it right. */
export function checkClock({ machine, machines }: CheckInput): Problem[] {
  const { clockSkewMs, clockErrorMs, timeSynchronized } = machine.facts
  const found: Problem[] = []
  // Kept finite: a machine without a readable clock has an endless error.
  const tolerated = Math.max(TOLERATED_MS, Number.isFinite(clockErrorMs) ? clockErrorMs : TOLERATED_MS)
  if (Math.abs(clockSkewMs) > tolerated) {
    const all =
      machines.length > 1 &&
      machines.every(({ facts }) => Math.abs(facts.clockSkewMs - clockSkewMs) <= TOLERATED_MS)
    const text = `the clock is ${spanText(Math.abs(clockSkewMs))} ${clockSkewMs > 0 ? 'ahead of' : 'behind'} this computer's`
    found.push(
      problem('clock-skew', machine.name, all ? `${text}, as on all machines` : text, {
        fix: all
          ? "the machines agree with each other: set this computer's clock"
          : 'set the clock: chronyc makestep, or date -s; and keep it right with NTP',
      }),
    )
  }
  if (timeSynchronized === false && !isContainer(machine.facts.virtualization)) {
    found.push(problem('clock-unsynchronized', machine.name, 'the clock is not synchronised'))
  }
  return found
}

function spanText(ms: number): string {
  const seconds = Math.round(ms / 1000)
  if (seconds < 120) return `${seconds} seconds`
  const minutes = Math.round(seconds / 60)
  if (minutes < 120) return `${minutes} minutes`
  const hours = Math.round(minutes / 60)
  return hours < 48 ? `${hours} hours` : `${Math.round(hours / 24)} days`
}
