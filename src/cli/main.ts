import { Command, CommanderError, type Option } from 'commander'
import { registerNamed } from './commands/all.js'
import type { CliDeps, OutputFlags } from './io.js'

/** Entry point: parses `argv` (without node and script), runs one command, resolves with its exit code. Never throws. */
export async function main(argv: readonly string[], overrides: Partial<CliDeps> = {}): Promise<number> {
  let exitCode = 0
  const deps: CliDeps = {
    env: process.env,
    stdin: process.stdin,
    stdout: process.stdout,
    stderr: process.stderr,
    createRenderer: async (flags) => {
      const { createRenderer } = await import('./render/progress.js')
      return createRenderer(flags, deps)
    },
    setExitCode: (code) => {
      exitCode = code
    },
    ...overrides,
  }
  const program = new Command('airlift')
  program
    .description(
      'Bare Linux hosts, or local containers, into a Kubernetes cluster: air-gapped, over nothing but SSH.',
    )
    .configureOutput({ writeOut: (text) => deps.stdout.write(text), writeErr: () => {} })
    .configureHelp({ optionDescription: describeOption })
    .exitOverride()
    .showSuggestionAfterError(true)
    .enablePositionalOptions()
    .helpCommand('help [command]', 'the help of a command')
    .helpOption('-h, --help', 'this help')
  registerNamed(program, deps, argv[0])
  try {
    if (argv.length === 0) program.help({ error: false })
    await program.parseAsync([...argv], { from: 'user' })
    return exitCode
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return 0
    return report(error, argv, deps)
  }
}

/** What an option does, with its default where that says something: `false` and an empty list do not. */
function describeOption(option: Option): string {
  const { description, defaultValue } = option
  return typeof defaultValue === 'string' && !description.includes('(default')
    ? `${description} (default ${defaultValue})`
    : description
}

/** Prints one error, as JSON where JSON was asked for, and gives its exit code. */
async function report(error: unknown, argv: readonly string[], deps: CliDeps): Promise<number> {
  const { toReportable, renderError } = await import('./render/error.js')
  const { errorEvent } = await import('./render/note-event.js')
  const known = toReportable(error, argv)
  const flags = outputOf(argv)
  if (flags.output === 'json') {
    deps.stdout.write(
      `${JSON.stringify({ error: { code: known.code, message: known.message, hint: known.hint ?? null, machine: known.machine ?? null, ...(known.data ? { data: known.data } : {}) } }, null, 2)}\n`,
    )
  }
  deps.stderr.write(flags.events ? errorEvent(known) : renderError(known, flags))
  return known.exit
}

/** Reads the output flags from argv itself, since a command line that does not parse has none. */
function outputOf(argv: readonly string[]): OutputFlags {
  const end = argv.indexOf('--')
  const words = end < 0 ? argv : argv.slice(0, end)
  const json = words.some(
    (word, i) =>
      /^(-o|--output)=?json$/.test(word) || (/^(-o|--output)$/.test(word) && words[i + 1] === 'json'),
  )
  const verbose =
    words.filter((word) => word === '-v' || word === '--verbose').length + (words.includes('-vv') ? 2 : 0)
  return {
    output: json ? 'json' : 'text',
    events: words.includes('--events'),
    quiet: words.includes('-q'),
    verbose,
  }
}
