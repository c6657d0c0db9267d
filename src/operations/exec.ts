import pLimit from 'p-limit'
import type { Role } from '../cluster/spec.js'
import type { Context } from '../core/context.js'
import { AirliftError, toAirliftError } from '../core/errors.js'
import { quote, quoteAll } from '../machine/quote.js'
import { type MachineSelection, type SelectedMachine, selectMachines } from './select-machines.js'
import type { OperationDeps } from './session.js'

/** What `exec` is asked for. */
export interface ExecInput {
  readonly selection: MachineSelection
  /** One word is a line for the shell; several are a program and its arguments, and no shell changes them. */
  readonly command: readonly string[]
  /** Runs as root, through sudo where needed; else as the user that logs in. */
  readonly root: boolean
  readonly timeoutMs: number
}

/** What the command did on one machine. */
export interface ExecMachine {
  readonly machine: string
  readonly node: string
  readonly role: Role
  /** Null when the command could not be run, or did not end in time. */
  readonly exitCode: number | null
  readonly stdout: string
  readonly stderr: string
  readonly error: { readonly code: string; readonly message: string; readonly hint: string | null } | null
}

/** What the command did on all machines. */
export interface ExecResult {
  readonly operation: 'exec'
  readonly outcome: 'done' | 'partial' | 'failed'
  readonly name: string
  readonly machines: readonly ExecMachine[]
}

/**
 * Runs a command on machines at once, with empty standard input. A command that fails is a result, not an exception.
 * @throws AirliftError E_NO_CLUSTER, E_HOST_INVALID, E_USAGE, E_INTERRUPTED
 */
export async function exec(input: ExecInput, ctx: Context, deps: OperationDeps): Promise<ExecResult> {
  await using selected = await selectMachines(input.selection, ctx, deps)
  const script = execScript(input.command)
  const limit = pLimit(ctx.limits.machines)
  const machines = await Promise.all(
    selected.machines.map((one) => limit(() => execOne(one, script, input, ctx))),
  )
  if (ctx.signal.aborted) throw interrupted(ctx)
  const good = machines.filter((machine) => machine.exitCode === 0).length
  return {
    operation: 'exec',
    outcome: good === machines.length ? 'done' : good === 0 ? 'failed' : 'partial',
    name: selected.name,
    machines,
  }
}

/** Runs a command on the one selected machine with this terminal; resolves with its exit code. @throws AirliftError E_USAGE */
export async function execInteractive(
  input: Omit<ExecInput, 'timeoutMs'> & {
    readonly tty: boolean
    /** Called when the machine is connected and the command is about to have the terminal. */
    readonly onReady?: () => void
  },
  ctx: Context,
  deps: OperationDeps,
): Promise<number> {
  await using selected = await selectMachines(input.selection, ctx, deps)
  const [only, ...others] = selected.machines
  if (!only || others.length > 0) {
    const names = selected.machines.map((machine) => machine.node).join(', ')
    throw new AirliftError(
      'E_USAGE',
      `-i and -t are for one machine, and these are ${selected.machines.length}: ${names}`,
      {
        hint: 'choose one: --on NAME',
      },
    )
  }
  if (!only.machine) throw only.error ?? new AirliftError('E_SSH_LOST', `${only.node} is not connected`)
  if (!only.machine.interact) {
    throw new AirliftError('E_UNSUPPORTED', `${only.node} cannot be worked on with a terminal`, {
      machine: only.node,
      hint: 'leave out -i and -t',
    })
  }
  input.onReady?.()
  return await only.machine.interact(commandLine(input.command), { tty: input.tty, root: input.root })
}

/** A command of the user's is no work of airlift's that could go on where it stopped. */
function interrupted({ signal }: Context): AirliftError {
  return new AirliftError('E_INTERRUPTED', 'interrupted: the command was ended where it had not ended yet', {
    hint: 'what it had done by then stays; run it again where that is safe',
    cause: signal.reason,
  })
}

/** The user's words as one shell line: one word as it is, several quoted. */
export function commandLine(command: readonly string[]): string {
  return command.length === 1 ? (command[0] ?? '') : quoteAll(command)
}

/** In a shell of its own, so that what the user wrote cannot end the script early; with nothing to read. */
function execScript(command: readonly string[]): string {
  return `exec sh -c ${quote(commandLine(command))} </dev/null`
}

async function execOne(
  one: SelectedMachine,
  script: string,
  input: ExecInput,
  ctx: Context,
): Promise<ExecMachine> {
  const about = { machine: one.id, node: one.node, role: one.role }
  try {
    if (!one.machine) throw one.error ?? new AirliftError('E_SSH_LOST', `${one.node} is not connected`)
    const { timeoutMs, root } = input
    const { exitCode, stdout, stderr } = await one.machine.run(script, {
      timeoutMs,
      root,
      signal: ctx.signal,
    })
    return { ...about, exitCode, stdout, stderr, error: null }
  } catch (thrown) {
    const error = toAirliftError(thrown)
    const { code, message, hint = null } = error
    return { ...about, exitCode: null, stdout: '', stderr: '', error: { code, message, hint } }
  }
}
