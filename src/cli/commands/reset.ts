import type { Command } from 'commander'
import { addContainerFlags } from '../container-flags.js'
import type { CliDeps } from '../io.js'
import { addAllFlag, addClusterFlags, addOutputFlags, addSshFlags, onAction } from '../shared.js'
import { addDryRunFlag, addExecutionFlags } from '../spec-flags.js'

/** `airlift reset`. */
export function registerReset(program: Command, deps: CliDeps): void {
  const command = program
    .command('reset')
    .summary('remove a cluster from every machine, and prove it')
    .description(
      'Remove the cluster from every machine, with all its data, then prove that nothing is left.\nOn a terminal it asks first; --yes, or no terminal, is consent.',
    )
  defineReset(addDryRunFlag(command), deps, false)
}

/** Gives a command the flags and the action of `reset`; `planOnly` prints the plan and changes nothing. */
export function defineReset(command: Command, deps: CliDeps, planOnly: boolean): Command {
  addAllFlag(addClusterFlags(command))
  command.option(
    '--kubeconfig <path>',
    'file to remove the context from, or none (default all that it was merged into)',
  )
  command.option(
    '--force',
    'clean the other machines where some cannot be reached; where none can, forget the cluster here',
    false,
  )
  addExecutionFlags(command)
  addOutputFlags(command)
  addContainerFlags(command, { hidden: true })
  addSshFlags(command)
  const verb = planOnly ? 'plan reset' : 'reset'
  command.addHelpText(
    'after',
    `
Examples:
  airlift ${verb} --name prod
  airlift ${verb} --masters root@10.0.0.1 --nodes root@10.0.0.[2-3]${planOnly ? ' -o json' : ' --yes'}`,
  )
  return onAction(command, deps, async (io, flags) => {
    const { resetCommand } = await import('../actions/reset.js')
    return resetCommand(io, flags, planOnly || flags.dryRun === true)
  })
}
