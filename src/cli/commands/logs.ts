import type { Command } from 'commander'
import { addClusterFlags, addSshFlags, type CliDeps, onAction } from '../shared.js'

/** `airlift logs`. */
export function registerLogs(program: Command, deps: CliDeps): void {
  const command = program
    .command('logs')
    .summary('collect everything that diagnoses a cluster')
    .description(
      'Collect what diagnoses a cluster into one directory or archive: logs, configuration without secrets, facts, events,\nand what the cluster says. Machines that cannot be asked are named.',
    )
  addClusterFlags(command)
  addResultFlags(command)
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

/** Here --output names what is written, so that the format of stdout has only its short flag. */
function addResultFlags(command: Command): void {
  const file = command.createOption(
    '--output <path>',
    'a new directory, or a file that ends in .tar or .tar.gz (default airlift-logs-NAME-TIME)',
  )
  file.attributeName = () => 'file'
  const format = command.createOption('-o <format>', 'what stdout carries: text or json')
  format.choices(['text', 'json']).default('text')
  format.attributeName = () => 'output'
  command
    .addOption(file)
    .addOption(format)
    .option('--events', 'write progress as NDJSON to stderr', false)
    .option('-q, --quiet', 'no progress', false)
    .option('-v, --verbose', 'more detail; -vv for every remote script', (_: string, n: number) => n + 1, 0)
}
