import type { Command } from 'commander'
import type { CliDeps } from '../io.js'
import { packageVersion } from '../package-version.js'
import { addOutputFlags, onAction } from '../shared.js'

/** `airlift version`, and `airlift --version` for the number alone. */
export function registerVersion(program: Command, deps: CliDeps): void {
  program.version(packageVersion(), '-V, --version', 'print the version of airlift')
  const command = program
    .command('version')
    .summary('versions of airlift and of what it installs')
    .description('Print the version of airlift, of Node.js, and the releases that each runtime can install.')
  addOutputFlags(command)
  command.addHelpText('after', '\nExamples:\n  airlift version\n  airlift version -o json')
  onAction(command, deps, async (io) => {
    const { newRuntime } = await import('../../runtime/new-runtime.js')
    const { minors } = (await newRuntime('k3s')).info
    const platform = `${process.platform}/${process.arch}`
    if (io.json) {
      io.printJson({ airlift: packageVersion(), node: process.version, platform, runtimes: { k3s: minors } })
    } else {
      io.print(
        [
          `airlift  ${packageVersion()}`,
          `node     ${process.version} (${platform})`,
          `k3s      installs ${minors[0]} to ${minors.at(-1)}`,
        ].join('\n'),
      )
    }
    return 0
  })
}
