import type { Command } from 'commander'
import type { CliDeps } from '../io.js'
import { addSelectionFlags } from '../selection-flags.js'
import { addOutputFlags, addSshFlags, onAction } from '../shared.js'

/** `airlift image import|list`: images in the containerd of every node. */
export function registerImage(program: Command, deps: CliDeps): void {
  const image = program
    .command('image')
    .summary('bring images to every node, and compare what they have')
    .description(
      'Images in the containerd of every node, of containers and of hosts alike. No registry is needed.',
    )
  registerImport(image, deps)
  registerList(image, deps)
}

function registerImport(parent: Command, deps: CliDeps): void {
  const command = parent
    .command('import')
    .summary('bring images to every node')
    .description(
      'Bring images to all nodes at once: what a node has is not sent, only its platform is, and every node is asked\nafterwards what it has. A node that fails leaves the others alone.',
    )
    .argument(
      '[images...]',
      'image of the Docker daemon, archive (docker save, OCI; .gz and .zst too), OCI layout, or - for standard input',
    )
    .usage('[options] <images...>')
  addSelectionFlags(command)
    .option('--timeout <duration>', 'how long one node may take (default 30m)')
    .option('--concurrency <n>', 'machines at once (default 8)')
  addOutputFlags(command)
  addSshFlags(command)
  command.addHelpText(
    'after',
    `
Examples:
  airlift image import app:1.0
  airlift image import app.tar base.tar.gz --name prod
  docker save app:1.0 db:2 | airlift image import - --nodes`,
  )
  onAction(command, deps, async (io, flags, args) => {
    const { importCommand } = await import('../actions/image.js')
    return importCommand(io, flags, args)
  })
}

function registerList(parent: Command, deps: CliDeps): void {
  const command = parent
    .command('list')
    .summary('the images of all nodes, and where they differ')
    .description(
      'List the images of all nodes by name, as the kubelet of each sees them. A ! marks what some node lacks, or has as another image.',
    )
  addSelectionFlags(command)
    .option('--diff', 'only what differs', false)
    .option('--concurrency <n>', 'machines at once (default 30)')
  addOutputFlags(command)
  addSshFlags(command)
  command.addHelpText(
    'after',
    `
Examples:
  airlift image list
  airlift image list --diff --name prod -o json`,
  )
  onAction(command, deps, async (io, flags) => {
    const { listCommand } = await import('../actions/image.js')
    return listCommand(io, flags)
  })
}
