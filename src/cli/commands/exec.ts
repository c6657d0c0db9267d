import type { Command } from 'commander'
import type { CliDeps } from '../io.js'
import { addSelectionFlags } from '../selection-flags.js'
import { addOutputFlags, addSshFlags, onAction } from '../shared.js'

/** `airlift exec`. */
export function registerExec(program: Command, deps: CliDeps): void {
  const command = program
    .command('exec')
    .summary('run a command on machines')
    .description(
      'Run a command on all machines of a cluster at once, as root. Identical outputs are shown once.\nOne word after -- is a line for the shell; several are a program and its arguments.',
    )
    .argument('<command...>', 'what to run, after --')
  addSelectionFlags(command)
    .option('--no-root', 'run as the user that logs in')
    .option('-i, --interactive', 'with this terminal, on one machine', false)
    .option('-t, --tty', 'with a terminal there too', false)
    .option('--timeout <duration>', 'end the command after so long (default 10m)')
    .option('--concurrency <n>', 'machines at once (default 30)')
  addOutputFlags(command)
  addSshFlags(command)
  command.addHelpText(
    'after',
    `
Examples:
  airlift exec -- uptime
  airlift exec --nodes -- 'journalctl -u k3s-agent | tail -n 5'
  airlift exec --on bare1 -it -- sh`,
  )
  onAction(command, deps, async (io, flags, args) => {
    const { execCommand } = await import('../actions/exec.js')
    return execCommand(io, flags, args)
  })
}
