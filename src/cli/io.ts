import type { Context } from '../core/context.js'
import type { AirliftEvent } from '../core/events.js'
import type { Style } from './render/style.js'

/** Flags that every command has. */
export interface OutputFlags {
  readonly output: 'text' | 'json'
  readonly events: boolean
  readonly quiet: boolean
  /** 0, 1 (-v) or 2 (-vv). */
  readonly verbose: number
}

/** What a command's action is handed. */
export interface ActionIo extends OutputFlags {
  readonly ctx: Context
  readonly json: boolean
  /** Writes to stdout; the result and nothing else. A newline is added. */
  print(text: string): void
  /** Prints a value as the one JSON document of the command. */
  printJson(value: unknown): void
  /** Writes a line to stderr, unless quiet. */
  note(text: string): void
  /** Writes a line to stderr, also when quiet: what must not be missed. */
  warn(text: string): void
  /** Ends any drawing, so that something else can have the terminal. */
  endProgress(): void
  /** True when stderr is a terminal that may be drawn on. */
  readonly interactive: boolean
  /** Colours for what `print` prints, and for what `note` and `warn` write. */
  readonly style: { readonly out: Style; readonly err: Style }
  /** Asks yes or no; undefined when there is no terminal to ask on. */
  confirm(question: string): Promise<boolean | undefined>
  /** Asks for a secret without echo; undefined when there is no terminal to ask on. */
  askSecret(question: string): Promise<string | undefined>
  /** Has something done when the command has ended, well or not. */
  onEnd(work: () => Promise<void>): void
}

/** What commands get from the entry point; tests give their own. */
export interface CliDeps {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly stdin: { readonly isTTY?: boolean }
  readonly stdout: { write(text: string): unknown; readonly isTTY?: boolean }
  readonly stderr: { write(text: string): unknown; readonly isTTY?: boolean; readonly columns?: number }
  /** Builds the listener that shows events for these flags; the default draws on stderr. */
  readonly createRenderer: (flags: OutputFlags) => Promise<EventRenderer>
  /** Called with the flags of output when a command is about to run: from then on they are certain. */
  readonly setOutput: (flags: OutputFlags) => void
  /** Called with the exit code of the command that ran. */
  readonly setExitCode: (code: number) => void
  /** The signal that came before the command could listen for it, if one did; from then on it listens itself. */
  readonly takeSignal?: () => NodeJS.Signals | undefined
}

/** Shows events to a person or as NDJSON. */
export interface EventRenderer {
  onEvent(event: AirliftEvent): void
  /** Ends any drawing, so that other text can follow. */
  stop(): void
}

/** Runs a command's action with a context, a renderer and Ctrl-C; maps what it returns to the exit code. */
export type Action = (
  io: ActionIo,
  flags: Readonly<Record<string, unknown>>,
  args: readonly string[],
) => Promise<number | undefined>

/** A wrong flag value; becomes E_USAGE, exit 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}
