import type { Command } from 'commander'
import type { CliDeps } from '../io.js'
import { addAllFlag, addClusterFlags, addOutputFlags, addSshFlags, onAction } from '../shared.js'
import { addDryRunFlag, addExecutionFlags } from '../spec-flags.js'

/** `airlift stop`. */
export function registerStop(program: Command, deps: CliDeps): void {
  const command = program
    .command('stop')
    .summary('stop a cluster and its pods; data stays')
    .description(
      'Stop a cluster: k3s and its pods end on every machine, data, images and configuration stay.\nServices stay enabled: a host that boots starts its part of the cluster. See start.',
    )
  defineStop(addDryRunFlag(command), deps, false)
}

/** Gives a command the flags and the action of `stop`; `planOnly` prints the plan and changes nothing. */
export function defineStop(command: Command, deps: CliDeps, planOnly: boolean): Command {
  addAllFlag(addClusterFlags(command)).option(
    '--drain',
    'move pods off the workers first; the next start lets them be used again',
    false,
  )
  addExecutionFlags(command)
  addOutputFlags(command)
  addSshFlags(command)
  const verb = planOnly ? 'plan stop' : 'stop'
  command.addHelpText(
    'after',
    `
Examples:
  airlift ${verb} --name prod
  airlift ${verb} --name prod --drain --timeout 5m`,
  )
  return onAction(command, deps, async (io, flags) => {
    const { stopCommand } = await import('../actions/stop-start.js')
    return stopCommand(io, flags, planOnly || flags.dryRun === true)
  })
}
