import type { Command } from 'commander'
import { addContainerFlags } from '../container-flags.js'
import type { CliDeps } from '../io.js'
import { addClusterFlags, addOutputFlags, addSshFlags, onAction, repeatable } from '../shared.js'
import { addConfigFlags, addDryRunFlag, addExecutionFlags, addRootfsFlags } from '../spec-flags.js'

/** `airlift run`. */
export function registerRun(program: Command, deps: CliDeps): void {
  const command = program
    .command('run')
    .summary('create a cluster, or finish and converge one')
    .description(
      'Create the cluster on hosts, or in containers; on an existing one, join what is missing.\nRunning it again does nothing where all is as it must be.',
    )
  defineRun(addDryRunFlag(command), deps, false)
}

/** Gives a command the flags and the action of `run`; `planOnly` prints the plan and changes nothing. */
export function defineRun(command: Command, deps: CliDeps, planOnly: boolean): Command {
  addClusterFlags(command)
  command
    .option('--wait <what>', 'until what is up: none, api, nodes or system', 'nodes')
    .option('--ignore <codes>', 'let preflight refusals pass, by their codes (repeatable)', repeatable, [])
  addExecutionFlags(command)
  addOutputFlags(command)
  addRootfsFlags(command)
  addConfigFlags(command)
  command
    .optionsGroup('Kubeconfig:')
    .option(
      '--kubeconfig <path>',
      'file to merge the context into, - for stdout, or none (default KUBECONFIG or ~/.kube/config)',
    )
    .option('--no-switch', 'leave the current context alone')
    .optionsGroup('Options:')
  addContainerFlags(command)
  addSshFlags(command)
  const verb = planOnly ? 'plan run' : 'run'
  command.addHelpText(
    'after',
    `
Examples:
  airlift ${verb} --rootfs k3s.airlift --masters root@10.0.0.1 --nodes root@10.0.0.[2-3]
  airlift ${verb} --rootfs k3s.airlift --name prod --masters admin@10.0.0.[1-3] --jump bastion --set disable=traefik
  airlift ${verb} --name dev --masters 1 --nodes 2
  airlift ${verb} --version v1.33 --name dev --masters 1 --nodes 2 --ingress
  airlift ${verb} --rootfs k3s.airlift --name dev --masters 3 -p 8080:80@loadbalancer --volume ./src:/src@workers:*

A number for --masters makes that many containers on this computer instead of naming hosts. They need no rootfs: without one they run
the image that is named, or the newest k3s that the engine has, or the stable release. Filters choose containers, as in
k3d: masters:0, server:0, workers:*, agents[0,2-3], all, loadbalancer, names; several with ; between. Without a filter it is every
master and worker.`,
  )
  return onAction(command, deps, async (io, flags) => {
    const { runCommand } = await import('../actions/run.js')
    return runCommand(io, flags, planOnly || flags.dryRun === true)
  })
}
