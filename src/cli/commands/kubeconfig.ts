import type { Command } from 'commander'
import type { CliDeps } from '../io.js'
import { addClusterFlags, addOutputFlags, addSshFlags, onAction } from '../shared.js'

/** `airlift kubeconfig`: prints it, or merges it into a file. */
export function registerKubeconfig(program: Command, deps: CliDeps): void {
  const command = program
    .command('kubeconfig')
    .summary('print or merge the kubeconfig of a cluster')
    .description(
      'Print the kubeconfig of a cluster, or merge it into a file, under the context airlift-NAME,\nwith an address that works from this computer. It holds the key of the administrator.',
    )
  addClusterFlags(command)
  command
    .option('--merge', 'merge into a file instead of printing', false)
    .option('--kubeconfig <path>', 'the file to merge into (default KUBECONFIG or ~/.kube/config)')
    .option('--no-switch', 'leave the current context alone')
  addOutputFlags(command)
  addSshFlags(command)
  command.addHelpText(
    'after',
    `
Examples:
  airlift kubeconfig > kubeconfig.yaml
  airlift kubeconfig --name prod --merge`,
  )
  onAction(command, deps, async (io, flags) => {
    const { kubeconfigCommand } = await import('../actions/kubeconfig.js')
    return kubeconfigCommand(io, flags)
  })
}
