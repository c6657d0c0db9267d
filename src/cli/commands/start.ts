import type { Command } from 'commander'
import type { CliDeps } from '../io.js'
import { addAllFlag, addClusterFlags, addOutputFlags, addSshFlags, onAction } from '../shared.js'
import { addDryRunFlag, addExecutionFlags } from '../spec-flags.js'

/** `airlift start`. */
export function registerStart(program: Command, deps: CliDeps): void {
  const command = program
    .command('start')
    .summary('start a stopped cluster')
    .description(
      'Start a stopped cluster: all masters together, then the workers, and wait until all are ready again.\nWhere everything runs it does nothing.',
    )
  defineStart(addDryRunFlag(command), deps, false)
}

/** Gives a command the flags and the action of `start`; `planOnly` prints the plan and changes nothing. */
export function defineStart(command: Command, deps: CliDeps, planOnly: boolean): Command {
  addAllFlag(addClusterFlags(command)).option(
    '--wait <what>',
    'until what is up: none, api, nodes or system',
    'nodes',
  )
  addExecutionFlags(command)
  addOutputFlags(command)
  addSshFlags(command)
  const verb = planOnly ? 'plan start' : 'start'
  command.addHelpText(
    'after',
    `
Examples:
  airlift ${verb} --name prod
  airlift ${verb} --name prod --wait system --timeout 5m`,
  )
  return onAction(command, deps, async (io, flags) => {
    const { startCommand } = await import('../actions/stop-start.js')
    return startCommand(io, flags, planOnly || flags.dryRun === true)
  })
}
