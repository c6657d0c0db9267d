import type { Command } from 'commander'
import type { CliDeps } from '../io.js'
import { addClusterFlags, addOutputFlags, addSshFlags, onAction } from '../shared.js'

/** `airlift status`: exit 0 only when the cluster is ready. */
export function registerStatus(program: Command, deps: CliDeps): void {
  const command = program
    .command('status')
    .summary('the health of a cluster, from its machines')
    .description('Show the health of a cluster, as its machines tell it. Exit code 0 only when it is ready.')
  addClusterFlags(command)
  command.option('--concurrency <n>', 'machines at once (default 30)')
  addOutputFlags(command)
  addSshFlags(command)
  command.addHelpText(
    'after',
    `
Examples:
  airlift status
  airlift status --name prod --masters root@10.0.0.1 -o json`,
  )
  onAction(command, deps, async (io, flags) => {
    const { statusCommand } = await import('../actions/status.js')
    return statusCommand(io, flags)
  })
}
