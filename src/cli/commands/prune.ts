import type { Command } from 'commander'
import type { CliDeps } from '../io.js'
import { addOutputFlags, addSshFlags, onAction } from '../shared.js'
import { addDryRunFlag } from '../spec-flags.js'

/** `airlift prune`. */
export function registerPrune(program: Command, deps: CliDeps): void {
  const command = program
    .command('prune')
    .summary('find and remove what dead runs left behind')
    .description(
      'Find and remove what dead runs left: containers, networks and volumes of clusters without a master, records of\nclusters that are gone, unfinished files. It shows what it found and asks. A cluster that has a master container,\nand the data of hosts, are never touched.',
    )
  addDryRunFlag(command).option('--yes', 'do not ask', false)
  addOutputFlags(command)
  addSshFlags(command)
  command.addHelpText('after', '\nExamples:\n  airlift prune --dry-run\n  airlift prune --yes -o json')
  onAction(command, deps, async (io, flags) => {
    const { pruneCommand } = await import('../actions/prune.js')
    return pruneCommand(io, flags)
  })
}
