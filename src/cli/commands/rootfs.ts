import type { Command } from 'commander'
import type { CliDeps } from '../io.js'
import { addResultFlags } from '../result-flags.js'
import { addOutputFlags, onAction, repeatable } from '../shared.js'
import { offlineOption } from '../spec-flags.js'

/** `airlift rootfs build|inspect|verify`: bundles, made and looked into. */
export function registerRootfs(program: Command, deps: CliDeps): void {
  const rootfs = program
    .command('rootfs')
    .summary('make a bundle, look into it, verify it')
    .description(
      'A rootfs is all that lands on a machine: program, images, templates. A bundle is a rootfs as one file.',
    )
  registerBuild(rootfs, deps)
  registerInspect(rootfs, deps)
  registerVerify(rootfs, deps)
}

/** `--images a b` and `--images a --images b` are the same. */
function registerBuild(parent: Command, deps: CliDeps): void {
  const command = parent
    .command('build')
    .summary('build a bundle from files, or from a release')
    .description(
      'Build a bundle. Named files are taken as they are; what is not named is downloaded from the release, resumed where it was cut off, checked against the published sums and cached. The same inputs give the same bytes.',
    )
    .option('--runtime <runtime>', 'what the bundle installs: k3s', 'k3s')
    .requiredOption('--version <version>', 'release, such as v1.33.1+k3s1, or channel: stable, latest, v1.33')
    .option(
      '--arch <archs>',
      'amd64, arm64, arm; several separated by commas (default: those of --binary)',
      repeatable,
      [],
    )
    .option('--binary <files...>', 'the k3s program, one for each architecture')
    .option('--images <files...>', 'archives of images: docker save, OCI layout; also .gz and .zst')
    .option('--registry <files...>', 'program of a registry to carry along')
    .option('--from <place>', 'mirror URL or directory with the files of the release')
    .option('--template <dir>', 'templates that replace the packaged ones of the same name')
    .addOption(offlineOption())
  addResultFlags(command, {
    flag: '--output <file>',
    description: 'the bundle to write, such as k3s.airlift',
    mandatory: true,
  })
  command.addHelpText(
    'after',
    `
Examples:
  airlift rootfs build --version v1.33.1+k3s1 --output k3s.airlift
  airlift rootfs build --version v1.33.1+k3s1 --binary k3s --images k3s-airgap-images-amd64.tar --output k3s.airlift`,
  )
  onAction(command, deps, async (io, flags) => {
    const { buildCommand } = await import('../actions/rootfs.js')
    return buildCommand(io, flags)
  })
}

function registerInspect(parent: Command, deps: CliDeps): void {
  const command = parent
    .command('inspect')
    .summary('what a bundle holds')
    .description('Show version, architectures, files and images of a bundle. Only its head is read.')
    .argument('<bundle>', 'a bundle, or an unpacked rootfs')
  addOutputFlags(command)
  command.addHelpText(
    'after',
    '\nExamples:\n  airlift rootfs inspect k3s.airlift\n  airlift rootfs inspect k3s.airlift -o json',
  )
  onAction(command, deps, async (io, _flags, args) => {
    const { inspectCommand } = await import('../actions/rootfs.js')
    return inspectCommand(io, args[0] ?? '')
  })
}

function registerVerify(parent: Command, deps: CliDeps): void {
  const command = parent
    .command('verify')
    .summary('check every blob of a bundle')
    .description(
      'Read a bundle once and compare every blob with its digest; damage is named with the images that it hits.',
    )
    .argument('<bundle>', 'a bundle, or an unpacked rootfs')
  addOutputFlags(command)
  command.addHelpText(
    'after',
    '\nExamples:\n  airlift rootfs verify k3s.airlift\n  airlift rootfs verify /media/usb/k3s.airlift -o json',
  )
  onAction(command, deps, async (io, _flags, args) => {
    const { verifyCommand } = await import('../actions/rootfs.js')
    return verifyCommand(io, args[0] ?? '')
  })
}
