/** What a command did on one machine, as far as the end of the command depends on it. */
export interface MachineEnd {
  readonly machine: string
  readonly node: string
  readonly error: { readonly code: string; readonly message: string; readonly hint: string | null } | null
  /** Of a program that was run there; null where it did not end. */
  readonly exitCode?: number | null
}

/** How a command ends that does the same on each of several machines. */
export interface MachinesEnd {
  /** 0 where all is done, 3 on some machines, 4 where the time was up on every one, 1 where it failed on all. */
  readonly exit: number
  /** What the JSON of a result that is not whole holds besides. */
  readonly error?: {
    readonly code: string
    readonly message: string
    readonly hint: string | null
    readonly machine: string | null
  }
}

/** Sums up the ends of all machines. Pure. */
export function endOf(machines: readonly MachineEnd[]): MachinesEnd {
  const failed = machines.flatMap((one) => {
    const error = one.error ?? endedBadly(one.exitCode)
    return error ? [{ ...one, error }] : []
  })
  const [first] = failed
  if (!first) return { exit: 0 }
  const { code, message, hint } = first.error
  if (failed.length < machines.length) {
    const text = `${failed.length} of ${machines.length} machines failed`
    return { exit: 3, error: { code: 'E_PARTIAL', message: text, hint: hint ?? SEE, machine: null } }
  }
  const alike = failed.every((one) => one.error.code === code)
  const exit = alike && code === 'E_TIMEOUT' ? 4 : 1
  if (machines.length === 1) return { exit, error: { code, message, hint, machine: first.machine } }
  const text = `all ${machines.length} machines failed${alike ? `: ${message}` : ''}`
  return {
    exit,
    error: { code: alike ? code : 'E_COMMAND', message: text, hint: hint ?? SEE, machine: null },
  }
}

const SEE = 'see `machines`: each has its own error'

function endedBadly(exitCode: number | null | undefined): NonNullable<MachineEnd['error']> | undefined {
  if (exitCode === undefined || exitCode === null || exitCode === 0) return undefined
  const hint = 'its words are in `stdout` and `stderr` of the machine'
  return { code: 'E_COMMAND', message: `the command ended with ${exitCode}`, hint }
}
