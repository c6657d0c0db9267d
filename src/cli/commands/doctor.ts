import type { Command } from 'commander'
import { addContainerFlags } from '../container-flags.js'
import type { CliDeps } from '../io.js'
import { addClusterFlags, addOutputFlags, addSshFlags, onAction, repeatable, tellName } from '../shared.js'
import { addConfigFlags } from '../spec-flags.js'

/** `airlift doctor`: the preflight alone; exit 5 when something refuses. */
export function registerDoctor(program: Command, deps: CliDeps): void {
  const command = program
    .command('doctor')
    .summary('what would go wrong, before it does; --clean proves that machines are bare')
    .description(
      'Look for everything that would go wrong on the machines, and change nothing. With --name alone, look at the machines of that cluster; without\nmachines, at this computer.\nExit code 5 when something refuses.',
    )
  tellName(addClusterFlags(command))
  command
    .option('--clean', 'prove instead that nothing of airlift and k3s is left on the machines', false)
    .option('--rootfs <path>', 'a bundle: checks its release, architectures and the room for its files too')
    .option('--ignore <codes>', 'codes that do not count (repeatable)', repeatable, [])
  command.option('--concurrency <n>', 'machines at once (default 30)')
  addOutputFlags(command)
  addConfigFlags(command)
  addSshFlags(command)
  addContainerFlags(command)
  command.addHelpText(
    'after',
    `
Examples:
  airlift doctor --masters root@10.0.0.1 --nodes root@10.0.0.[2-3] --rootfs k3s.airlift
  airlift doctor --masters 1 --nodes 2 -p 8080:80
  airlift doctor --clean --masters root@10.0.0.1 --nodes root@10.0.0.[2-3]`,
  )
  onAction(command, deps, async (io, flags) => {
    const { doctorCommand } = await import('../actions/doctor.js')
    return doctorCommand(io, flags)
  })
}
