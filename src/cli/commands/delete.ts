import type { Command } from 'commander'
import type { CliDeps } from '../io.js'
import { addOutputFlags, addSshFlags, addThroughFlag, onAction, runtimeOption } from '../shared.js'
import { addDryRunFlag, addExecutionFlags } from '../spec-flags.js'

/** `airlift delete`. */
export function registerDelete(program: Command, deps: CliDeps): void {
  const command = program
    .command('delete')
    .summary('take nodes out of a cluster, and clean their machines')
    .description(
      'Take nodes out of a cluster: drain them, delete them, take masters out of the datastore, then remove everything\nfrom their machines and prove it. On a terminal it asks first; --yes, or no terminal, is consent.',
    )
  defineDelete(addDryRunFlag(command), deps, false)
}

/** Gives a command the flags and the action of `delete`; `planOnly` prints the plan and changes nothing. */
export function defineDelete(command: Command, deps: CliDeps, planOnly: boolean): Command {
  command
    .option('--name <name>', 'name of the cluster', 'default')
    .addOption(runtimeOption())
    .option('--masters <list>', 'masters that leave: names, hosts or filters, such as masters:2')
    .option('--nodes <list>', 'workers that leave: names, hosts or filters, such as workers:0,2-3')
  addThroughFlag(command)
  command
    .option(
      '--drain-timeout <duration>',
      'how long pods may take to leave a node (default 5m; 30s with --force)',
    )
    .option(
      '--force',
      'delete pods that do not leave in time, whatever a PodDisruptionBudget says, and let machines leave that cannot be reached',
      false,
    )
    .option(
      '--kubeconfig <path>',
      'file whose context is set to another master when its own leaves, or none (default KUBECONFIG or ~/.kube/config)',
    )
  addExecutionFlags(command)
  addOutputFlags(command)
  addSshFlags(command)
  const verb = planOnly ? 'plan delete' : 'delete'
  command.addHelpText(
    'after',
    `
Examples:
  airlift ${verb} --name prod --nodes bare5,workers:0
  airlift ${verb} --name prod --masters root@10.0.0.1 --drain-timeout 2m${planOnly ? ' -o json' : ' --yes'}`,
  )
  return onAction(command, deps, async (io, flags) => {
    const { deleteCommand } = await import('../actions/delete.js')
    return deleteCommand(io, flags, planOnly || flags.dryRun === true)
  })
}
