import type { Command } from 'commander'
import type { CliDeps } from '../shared.js'
import { defineAdd } from './add.js'
import { defineDelete } from './delete.js'
import { defineReset } from './reset.js'
import { defineRun } from './run.js'
import { defineStart } from './start.js'
import { defineStop } from './stop.js'

/** `airlift plan VERB`: what the verb would do. */
export function registerPlan(program: Command, deps: CliDeps): void {
  const command = program
    .command('plan')
    .summary('print what a verb would do')
    .description('Print what a verb would do, and change nothing; the same as --dry-run on the verb.')
    .addHelpText(
      'after',
      `
Examples:
  airlift plan run --rootfs k3s.airlift --masters root@10.0.0.1 --nodes root@10.0.0.[2-3]
  airlift plan reset --name prod -o json`,
    )
  defineRun(
    command.command('run').summary('what run would do').description('Print what run would do.'),
    deps,
    true,
  )
  defineAdd(
    command.command('add').summary('what add would do').description('Print what add would do.'),
    deps,
    true,
  )
  defineDelete(
    command.command('delete').summary('what delete would do').description('Print what delete would do.'),
    deps,
    true,
  )
  defineReset(
    command.command('reset').summary('what reset would do').description('Print what reset would do.'),
    deps,
    true,
  )
  defineStart(
    command.command('start').summary('what start would do').description('Print what start would do.'),
    deps,
    true,
  )
  defineStop(
    command.command('stop').summary('what stop would do').description('Print what stop would do.'),
    deps,
    true,
  )
}
