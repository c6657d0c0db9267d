import type { Command } from 'commander'
import type { CliDeps } from '../io.js'
import { addSelectionFlags } from '../selection-flags.js'
import { addOutputFlags, addSshFlags, onAction } from '../shared.js'

/** `airlift copy`. */
export function registerCopy(program: Command, deps: CliDeps): void {
  const command = program
    .command('copy')
    .summary('copy a file or directory to machines')
    .description(
      'Copy a file or directory to all machines of a cluster at once, as root. Every file is verified and renamed\ninto place, its mode is kept; a directory is added to what is there.',
    )
    .argument('<source>', 'file or directory on this computer')
    // Not required for commander: "--nodes ./models /x" looks to it as if ./models were hosts; see copyPaths.
    .argument('[target]', 'absolute path on the machines; ends in / to copy a file into it')
    .usage('[options] <source> <target>')
  addSelectionFlags(command).option('--concurrency <n>', 'machines at once (default 8)')
  addOutputFlags(command)
  addSshFlags(command)
  command.addHelpText(
    'after',
    `
Examples:
  airlift copy ./sysctl.conf /etc/sysctl.d/90-cluster.conf
  airlift copy --nodes ./models /var/lib/models`,
  )
  onAction(command, deps, async (io, flags, args) => {
    const { copyCommand } = await import('../actions/copy.js')
    return copyCommand(io, flags, args)
  })
}
