import type { Command } from 'commander'
import { runtimeOption } from './shared.js'

/** Adds the flags that choose machines of one cluster: all, a role, named hosts, or names. */
export function addSelectionFlags(command: Command): Command {
  return command
    .option('--name <name>', 'name of the cluster', 'default')
    .addOption(runtimeOption())
    .option('--masters [hosts]', 'only the masters; with hosts, exactly those')
    .option('--nodes [hosts]', 'only the workers; with hosts, exactly those')
    .option('--on <list>', 'only these, by the name of the node or host, separated by commas')
}
