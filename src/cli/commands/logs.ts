import type { Command } from 'commander'
import type { CliDeps } from '../io.js'
import { addResultFlags } from '../result-flags.js'
import { addClusterFlags, addSshFlags, onAction } from '../shared.js'

/** `airlift logs`. */
export function registerLogs(program: Command, deps: CliDeps): void {
  const command = program
    .command('logs')
    .summary('collect everything that diagnoses a cluster')
    .description(
      'Collect what diagnoses a cluster into one directory or archive: logs, configuration without secrets, facts, events,\nand what the cluster says. Machines that cannot be asked are named.',
    )
  addClusterFlags(command)
  addResultFlags(command, {
    flag: '--output <path>',
    description: 'a new directory, or a file that ends in .tar or .tar.gz (default airlift-logs-NAME-TIME)',
  })
  command.option('--concurrency <n>', 'machines at once (default 8)')
  addSshFlags(command)
  command.addHelpText(
    'after',
    '\nExamples:\n  airlift logs --name prod\n  airlift logs --name prod --output prod-logs.tar.gz',
  )
  onAction(command, deps, async (io, flags) => {
    const { logsCommand } = await import('../actions/logs.js')
    return logsCommand(io, flags)
  })
}
