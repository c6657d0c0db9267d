import type { Command } from 'commander'
import { type CliDeps, UsageError } from '../io.js'
import { addOutputFlags, onAction } from '../shared.js'

/** `airlift completion bash|zsh|fish`. */
export function registerCompletion(program: Command, deps: CliDeps): void {
  const command = program
    .command('completion')
    .summary('print a script that completes commands and flags')
    .description('Print a script that completes the commands, flags and values of airlift in your shell.')
    .argument('<shell>', 'bash, zsh or fish')
  addOutputFlags(command)
  command.addHelpText(
    'after',
    `
Examples:
  source <(airlift completion bash)                                    # in ~/.bashrc
  airlift completion zsh > "\${fpath[1]}/_airlift"
  airlift completion fish > ~/.config/fish/completions/airlift.fish`,
  )
  onAction(command, deps, async (io, _flags, [shell = '']) => {
    const { completionScript, SHELLS } = await import('../completion/script.js')
    const known = SHELLS.find((name) => name === shell)
    if (known === undefined) throw new UsageError(`completion takes ${SHELLS.join(', ')}, not "${shell}"`)
    const script = completionScript(known, program)
    if (io.json) io.printJson({ shell, script })
    else io.print(script)
    return 0
  })
}
