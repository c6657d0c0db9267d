import { CommanderError } from 'commander'
import { AirliftError, toAirliftError } from '../../core/errors.js'
import { type OutputFlags, UsageError } from '../io.js'

/** Commands that only hold others. */
const PARENTS: readonly string[] = ['image', 'plan', 'ports', 'rootfs']

/** Maps whatever was thrown, also commander's own complaints, to an airlift error. */
export function toReportable(error: unknown, argv: readonly string[]): AirliftError {
  const words = wordsOf(argv)
  const unknown = error instanceof CommanderError && error.code === 'commander.unknownCommand'
  const depth = (PARENTS.includes(words[0] ?? '') ? 2 : 1) - (unknown ? 1 : 0)
  const hint = `see: ${['airlift', ...words.slice(0, depth), '--help'].join(' ')}`
  if (error instanceof CommanderError) {
    // That is what commander throws instead of naming what is missing.
    const alone = PARENTS.includes(words[0] ?? '') && words.length === 1 && !unknown
    const message =
      error.code === 'commander.help' || alone
        ? `"${words[0]}" needs a subcommand`
        : error.message.replace(/^error: /, '').replace(/\n/g, ' ')
    return new AirliftError('E_USAGE', message, { hint })
  }
  if (error instanceof UsageError) return new AirliftError('E_USAGE', error.message, { hint })
  return toAirliftError(error)
}

/** The command, and the one that it holds: words before the first option. What follows may be the value of one. */
function wordsOf(argv: readonly string[]): readonly string[] {
  const end = argv.findIndex((word) => word.startsWith('-'))
  if (end !== 0) return argv.slice(0, end < 0 ? argv.length : end)
  return argv.filter((word) => !word.startsWith('-'))
}

/** An error for people: what, where, the last log lines, what to do. The chain of causes at -v, the stack at -vv. */
export function renderError(error: AirliftError, flags: Pick<OutputFlags, 'verbose'>): string {
  const where = error.machine && !error.message.includes(error.machine) ? `${error.machine}: ` : ''
  const lines = [`error: ${where}${error.message}`]
  for (const line of error.log) lines.push(`  | ${line}`)
  if (error.hint)
    for (const [i, line] of error.hint.split('\n').entries())
      lines.push(i === 0 ? `hint: ${line}` : `      ${line}`)
  if (flags.verbose > 0) {
    for (let cause = error.cause; cause instanceof Error; cause = cause.cause)
      lines.push(`caused by: ${cause.message}`)
  }
  if (flags.verbose > 1 && error.stack) lines.push(error.stack)
  if (error.code === 'E_INTERNAL') {
    lines.push('this is a bug in airlift; please report it with the output of the same command and -vv')
  }
  return `${lines.join('\n')}\n`
}
