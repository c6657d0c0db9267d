import type { Command } from 'commander'
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
  /** Called with the exit code of the command that ran. */
  readonly setExitCode: (code: number) => void
}

/** Shows events to a person or as NDJSON. */
export interface EventRenderer {
  onEvent(event: AirliftEvent): void
  /** Ends any drawing, so that other text can follow. */
  stop(): void
}

/** Adds the flags of {@link OutputFlags}. */
export function addOutputFlags(command: Command): Command {
  return addProgressFlags(
    command.option('-o, --output <format>', 'what stdout carries: text or json', parseFormat, 'text'),
  )
}

/** Adds the flags that say what is told on the way, on stderr. */
export function addProgressFlags(command: Command): Command {
  return command
    .option('--events', 'write progress as NDJSON to stderr', false)
    .option('-q, --quiet', 'no progress', false)
    .option('-v, --verbose', 'more detail; -vv for every remote script', (_: string, n: number) => n + 1, 0)
}

function parseFormat(value: string): string {
  if (value === 'text' || value === 'json') return value
  throw new UsageError(`--output takes text or json, not "${value}"`)
}

/** A wrong flag value; becomes E_USAGE, exit 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}

/** Collects the values of a repeatable flag. */
export function repeatable(value: string, previous: readonly string[]): readonly string[] {
  return [...previous, value]
}

/** Adds the flags that say how machines are reached. */
export function addSshFlags(command: Command): Command {
  return command
    .optionsGroup('SSH:')
    .option('--user <name>', 'user to log in as, where the host does not name one')
    .option('--ssh-port <port>', 'port of sshd, where the host does not name one')
    .option('--identity <file>', 'private key (repeatable)', repeatable, [])
    .option('--jump <hosts>', 'bastion: [user@]host[:port], several separated by commas')
    .option('--sudo', 'always use sudo, also as root')
    .option(
      '--host-keys <mode>',
      'strict, accept-new or off (default: what ~/.ssh/config says, else accept-new)',
    )
    .option('--known-hosts <file>', 'known_hosts file to read and write')
    .option('--transport <kind>', 'auto, ssh (built in) or openssh (the ssh program)', 'auto')
    .option('--ssh-config <file>', 'OpenSSH client configuration (default ~/.ssh/config)')
    .option('--ask-pass', 'ask for the SSH password (or AIRLIFT_SSH_PASSWORD)', false)
    .option('--ask-sudo-pass', "ask for sudo's password (or AIRLIFT_SUDO_PASSWORD)", false)
    .optionsGroup('Options:')
}

/** Adds --name, --runtime, --masters and --nodes. */
export function addClusterFlags(command: Command): Command {
  return command
    .option('--name <name>', 'name of the cluster', 'default')
    .option('--runtime <runtime>', 'k3s, k3d or k0s (default k3s; k3d when --masters is a count)')
    .option(
      '--masters <hosts>',
      '[user@]host[:port], commas, ranges 10.0.0.[1-3], @file, local; or a number of containers',
    )
    .option('--nodes <hosts>', 'the workers, written in the same way')
}

/** Adds --all, for verbs that can do the same with every cluster in containers. */
export function addAllFlag(command: Command): Command {
  return command.option('--all', 'every cluster in containers, one after the other', false)
}

/** Adds --through, for verbs whose --masters and --nodes name what joins or leaves. */
export function addThroughFlag(command: Command): Command {
  return command.option(
    '--through <hosts>',
    'masters of the cluster, where this computer does not remember them',
  )
}

/** Runs a command's action with a context, a renderer and Ctrl-C; maps what it returns to the exit code. */
export type Action = (
  io: ActionIo,
  flags: Readonly<Record<string, unknown>>,
  args: readonly string[],
) => Promise<number | undefined>

/**
 * Wires an action to a command. The action returns an exit code (undefined is 0) or throws;
 * everything thrown becomes one error on stderr, or one JSON document, in `main`.
 */
export function onAction(command: Command, deps: CliDeps, action: Action): Command {
  return command.action(async () => {
    const flags = command.optsWithGlobals() as Record<string, unknown>
    const output: OutputFlags = {
      output: flags.output === 'json' ? 'json' : 'text',
      events: flags.events === true,
      quiet: flags.quiet === true,
      verbose: typeof flags.verbose === 'number' ? flags.verbose : 0,
    }
    const { runAction } = await import('./run-action.js')
    deps.setExitCode(await runAction(output, flags, command.args, deps, action))
  })
}
