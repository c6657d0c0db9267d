import type { Command } from 'commander'
import type { CliDeps } from '../io.js'
import { addOutputFlags, onAction } from '../shared.js'

/** `airlift list`: the clusters of this computer's records and of the container engine; touches no host. */
export function registerList(program: Command, deps: CliDeps): void {
  const command = program
    .command('list')
    .summary('all clusters known on this computer')
    .description(
      'List all clusters known here: of hosts, as this computer remembers them, and of containers, as the engine tells.\nNo host is asked.',
    )
  addOutputFlags(command)
  command.addHelpText('after', '\nExamples:\n  airlift list\n  airlift list -o json')
  onAction(command, deps, async (io) => {
    const { listCommand } = await import('../actions/list.js')
    return listCommand(io)
  })
}
