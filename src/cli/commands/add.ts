import type { Command } from 'commander'
import { addContainerFlags } from '../container-flags.js'
import type { CliDeps } from '../io.js'
import {
  addClusterFlags,
  addOutputFlags,
  addSshFlags,
  addThroughFlag,
  onAction,
  repeatable,
} from '../shared.js'
import { addDryRunFlag, addExecutionFlags, addRootfsFlags, dockerLoginsOption } from '../spec-flags.js'

/** `airlift add`. */
export function registerAdd(program: Command, deps: CliDeps): void {
  const command = program
    .command('add')
    .summary('join machines to a cluster')
    .description(
      'Join machines to a cluster that runs, with the configuration that it was made with.\nThe nodes that are there are not touched.',
    )
  defineAdd(addDryRunFlag(command), deps, false)
}

/** Gives a command the flags and the action of `add`; `planOnly` prints the plan and changes nothing. */
export function defineAdd(command: Command, deps: CliDeps, planOnly: boolean): Command {
  addThroughFlag(addClusterFlags(command))
  command
    .option('--wait <what>', 'until what is up: none, api, nodes or system', 'nodes')
    .option('--ignore <codes>', 'let preflight refusals pass, by their codes (repeatable)', repeatable, [])
  addExecutionFlags(command)
  addOutputFlags(command)
  addRootfsFlags(command)
  command
    .optionsGroup('Configuration:')
    .option('--registries <file>', 'a registries.yaml for the new nodes, instead of that of the cluster')
    .addOption(dockerLoginsOption())
    .option('--node-label <k=v[@filter]>', 'label of the new nodes (repeatable)', repeatable, [])
    .option('--node-taint <k=v:effect[@filter]>', 'taint of the new nodes (repeatable)', repeatable, [])
    .optionsGroup('Options:')
  addContainerFlags(command, { joining: true })
  addSshFlags(command)
  const verb = planOnly ? 'plan add' : 'add'
  command.addHelpText(
    'after',
    `
Examples:
  airlift ${verb} --rootfs k3s.airlift --name prod --nodes root@10.0.0.[4-6]
  airlift ${verb} --rootfs k3s.airlift --name prod --masters root@10.0.0.[2-3] --through root@10.0.0.1
  airlift ${verb} --name dev --nodes 2

A number adds containers, which run the image of the cluster and need no rootfs. New nodes get the labels, taints and
options of containers that were given to all nodes of their role; what is given here is for the new ones alone.`,
  )
  return onAction(command, deps, async (io, flags) => {
    const { addCommand } = await import('../actions/add.js')
    return addCommand(io, flags, planOnly || flags.dryRun === true)
  })
}
