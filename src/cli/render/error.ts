import { CommanderError } from 'commander'
import { AirliftError, toAirliftError } from '../../core/errors.js'
import { type OutputFlags, UsageError } from '../shared.js'

/** Maps whatever was thrown, also commander's own complaints, to an airlift error. */
export function toReportable(error: unknown, argv: readonly string[]): AirliftError {
  if (error instanceof CommanderError) {
    const command = argv.find((word) => !word.startsWith('-'))
    const known = command !== undefined && error.code !== 'commander.unknownCommand'
    if (error.code === 'commander.help') {
      return new AirliftError(
        'E_USAGE',
        `"${argv.filter((word) => !word.startsWith('-')).join(' ')}" needs a subcommand`,
        {
          hint: `see: airlift ${command ?? ''} --help`,
        },
      )
    }
    return new AirliftError('E_USAGE', error.message.replace(/^error: /, '').replace(/\n/g, ' '), {
      hint: `see: airlift ${known ? `${command} ` : ''}--help`,
    })
  }
  if (error instanceof UsageError)
    return new AirliftError('E_USAGE', error.message, { hint: 'see: airlift --help' })
  return toAirliftError(error)
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
