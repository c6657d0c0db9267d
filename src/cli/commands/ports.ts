import type { Command } from 'commander'
import type { CliDeps } from '../io.js'
import { addOutputFlags, onAction, runtimeOption } from '../shared.js'
import { addDryRunFlag } from '../spec-flags.js'

/** `airlift ports add|remove`: the published ports of a running cluster in containers. */
export function registerPorts(program: Command, deps: CliDeps): void {
  const ports = program
    .command('ports')
    .summary('change the published ports of a cluster in containers')
    .description(
      'Change the published ports of a running cluster in containers, keeping the rest. Only the load balancer is replaced:\nno node is restarted.',
    )
  define(ports, deps, 'add', 'publish more ports', [
    'airlift ports add 8080:80',
    'airlift ports add 9443:443@masters:* 0.0.0.0:5300:53/udp --name dev',
  ])
  define(ports, deps, 'remove', 'publish ports no longer', [
    'airlift ports remove 8080:80',
    'airlift ports remove 8000-8010:8000-8010 --name dev',
  ])
}

function define(
  parent: Command,
  deps: CliDeps,
  op: 'add' | 'remove',
  summary: string,
  examples: readonly string[],
): void {
  const command = parent
    .command(op)
    .summary(summary)
    .argument('<ports...>', '[HOST:][HOSTPORT:]PORT[/PROTO][@FILTER], as run --port takes it')
    .option('--name <name>', 'name of the cluster', 'default')
    .addOption(runtimeOption())
  addOutputFlags(addDryRunFlag(command))
  command.addHelpText('after', `\nExamples:\n${examples.map((line) => `  ${line}`).join('\n')}`)
  onAction(command, deps, async (io, flags, args) => {
    const { portsCommand } = await import('../actions/ports.js')
    return portsCommand(io, flags, op, args)
  })
}
