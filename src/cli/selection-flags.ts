import type { Command } from 'commander'
import { runtimeOption } from './shared.js'

/** Adds the flags that choose machines of one cluster: all, a role, named hosts, or names. */
export function addSelectionFlags(command: Command): Command {
  return command
    .option('--name <name>', 'name of the cluster', 'default')
    .addOption(runtimeOption())
    .option(
      '--masters [list]',
      'only the masters; with names, hosts or filters such as masters:0, exactly those',
    )
    .option(
      '--nodes [list]',
      'only the workers; with names, hosts or filters such as workers:0,2, exactly those',
    )
    .option('--on <list>', 'only these: names, hosts or filters, of both roles')
}
