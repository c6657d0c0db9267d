import { Command, CommanderError, type Option } from 'commander'
import { registerNamed } from './commands/all.js'
import type { CliDeps, OutputFlags } from './io.js'

/** Entry point: parses `argv` (without node and script), runs one command, resolves with its exit code. Never throws. */
export async function main(argv: readonly string[], overrides: Partial<CliDeps> = {}): Promise<number> {
  let exitCode = 0
  let output: OutputFlags | undefined
  const deps: CliDeps = {
    env: process.env,
    stdin: process.stdin,
    stdout: process.stdout,
    stderr: process.stderr,
    createRenderer: async (flags) => {
      const { createRenderer } = await import('./render/progress.js')
      return createRenderer(flags, deps)
    },
    setOutput: (flags) => {
      output = flags
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
    return report(error, argv, output ?? outputOf(argv), deps)
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
async function report(
  error: unknown,
  argv: readonly string[],
  flags: OutputFlags,
  deps: CliDeps,
): Promise<number> {
  const { toReportable, renderError } = await import('./render/error.js')
  const { errorEvent } = await import('./render/note-event.js')
  const known = toReportable(error, argv)
  if (flags.output === 'json') {
    const { errorJson } = await import('./finish.js')
    const error = { ...errorJson(known), ...(known.data ? { data: known.data } : {}) }
    deps.stdout.write(`${JSON.stringify({ error }, null, 2)}\n`)
  }
  deps.stderr.write(flags.events ? errorEvent(known) : renderError(known, flags))
  return known.exit
}

/** Of these --output names the file of the result. */
const RESULT_FILES = /^(logs|rootfs build)\b/

/** Reads the output flags from argv itself, since a command line that does not parse has none. */
function outputOf(argv: readonly string[]): OutputFlags {
  const end = argv.indexOf('--')
  const words = end < 0 ? argv : argv.slice(0, end)
  // Short flags may be written as one word: -qo json, -vojson.
  const flag = RESULT_FILES.test(argv.join(' ')) ? /^-[qv]*o/ : /^(-[qv]*o|--output)/
  const json = words.some((word, i) => {
    const found = flag.exec(word)?.[0]
    if (found === undefined) return false
    const rest = word.slice(found.length)
    return rest === '' ? words[i + 1] === 'json' : /^=?json$/.test(rest)
  })
  const short = words
    .filter((word) => /^-[qv]+o?(=?json)?$/.test(word))
    .map((word) => word.replace(/o.*$/, ''))
  const count = (letter: string): number => short.join('').split(letter).length - 1
  return {
    output: json ? 'json' : 'text',
    events: words.includes('--events'),
    quiet: words.includes('--quiet') || count('q') > 0,
    verbose: words.filter((word) => word === '--verbose').length + count('v'),
  }
}
