import { type Command, Option } from 'commander'
import { repeatable } from './shared.js'

/** Adds the flags that say where the runtime's files come from. */
export function addRootfsFlags(command: Command): Command {
  return command
    .optionsGroup('Rootfs:')
    .option('--rootfs <path>', 'a bundle, or an unpacked rootfs')
    .option(
      '--version <release>',
      'the published release, or a channel such as stable or v1.33; of containers its image, if it can be had',
    )
    .addOption(offlineOption())
    .optionsGroup('Options:')
}

/** --offline, of every command that could fetch something. */
export function offlineOption(): Option {
  return new Option(
    '--offline',
    'pull and download nothing, and ask no registry: what is missing is told before anything is made',
  ).default(false)
}

/** --docker-logins, beside --registries. */
export function dockerLoginsOption(): Option {
  return new Option(
    '--docker-logins',
    'nodes pull with what docker is logged in with on this computer, beside --registries',
  )
}

/** Adds the flags that say what the nodes are to be like. */
export function addConfigFlags(command: Command): Command {
  return command
    .optionsGroup('Configuration:')
    .option('--config <file>', "the runtime's own configuration file, passed through")
    .option(
      '--set <key=value>',
      'one option of it (repeatable); a,b is a list where it is one',
      repeatable,
      [],
    )
    .option('--registries <file>', 'a registries.yaml, for every node')
    .addOption(dockerLoginsOption())
    .option(
      '--manifests <path>',
      'file or directory, applied when the cluster is up (repeatable)',
      repeatable,
      [],
    )
    .option('--node-label <k=v[@filter]>', 'label of nodes (repeatable)', repeatable, [])
    .option('--node-taint <k=v:effect[@filter]>', 'taint of nodes (repeatable)', repeatable, [])
    .optionsGroup('Options:')
}

/** Adds the flags that say how a verb is carried out. */
export function addExecutionFlags(command: Command): Command {
  return command
    .option('--timeout <duration>', 'longest wait for one thing (default 10m)')
    .option('--concurrency <n>', 'machines that are worked on at once (default 30)')
    .option('--yes', 'do not ask', false)
}

/** Adds --dry-run; a plan command has none, since it never does more. */
export function addDryRunFlag(command: Command): Command {
  return command.option('--dry-run', 'print the plan and change nothing', false)
}
