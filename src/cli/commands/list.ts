import type { Command } from 'commander'
import { addOutputFlags, type CliDeps, onAction } from '../shared.js'

/** `airlift list`: the clusters that this computer remembers; touches no machine. */
export function registerList(program: Command, deps: CliDeps): void {
  const command = program
    .command('list')
    .summary('all clusters known on this computer')
    .description(
      'List all clusters that this computer remembers. It touches no machine and needs no network.',
    )
  addOutputFlags(command)
  command.addHelpText('after', '\nExamples:\n  airlift list\n  airlift list -o json')
  onAction(command, deps, async (io) => {
    const { listCommand } = await import('../actions/list.js')
    return listCommand(io)
  })
}
