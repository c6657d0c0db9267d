import type { Command } from 'commander'
import type { CliDeps } from '../io.js'
import { defineAdd } from './add.js'
import { defineDelete } from './delete.js'
import { defineReset } from './reset.js'
import { defineRun } from './run.js'
import { defineStart } from './start.js'
import { defineStop } from './stop.js'

/** The verbs that can be planned: each gets the flags that it has itself, but for those of doing it. */
const VERBS = {
  run: defineRun,
  add: defineAdd,
  delete: defineDelete,
  reset: defineReset,
  start: defineStart,
  stop: defineStop,
}

/** `airlift plan VERB`: what the verb would do. */
export function registerPlan(program: Command, deps: CliDeps): void {
  const plan = program
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
  for (const [verb, define] of Object.entries(VERBS)) {
    const command = plan.command(verb).summary(`what ${verb} would do`)
    define(command.description(`Print what ${verb} would do.`), deps, true)
  }
}
