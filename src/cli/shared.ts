import { type Command, Option } from 'commander'
import { type Action, type CliDeps, type OutputFlags, UsageError } from './io.js'

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

/** --runtime. A cluster that exists has one already: there it may be named, and is not needed. */
export function runtimeOption(): Option {
  return new Option('--runtime <runtime>', 'k3s, k3d or k0s (default k3s; k3d when --masters is a count)')
}

/** Adds --name, --runtime, --masters and --nodes. */
export function addClusterFlags(command: Command): Command {
  return command
    .option('--name <name>', 'name of the cluster', 'default')
    .addOption(runtimeOption())
    .option(
      '--masters <hosts>',
      '[user@]host[:port], commas, ranges 10.0.0.[1-3], @file, local; or a number of containers',
    )
    .option('--nodes <hosts>', 'the workers, written in the same way')
}

/** Adds --all, for verbs that can do the same with every cluster in containers. */
export function addAllFlag(command: Command): Command {
  return tellName(command).option('--all', 'every cluster in containers, one after the other', false)
}

/** Leaves --name undefined where it is not given, for commands to which that is not the same as its default. */
export function tellName(command: Command): Command {
  return command.setOptionValue('name', undefined)
}

/** Adds --through, for verbs whose --masters and --nodes name what joins or leaves. */
export function addThroughFlag(command: Command): Command {
  return command.option(
    '--through <hosts>',
    'masters of the cluster, where this computer does not remember them',
  )
}

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
    deps.setOutput(output)
    const { runAction } = await import('./run-action.js')
    deps.setExitCode(await runAction(output, flags, command.args, deps, action))
  })
}
