import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Command } from 'commander'
import { expect, it } from 'vitest'
import { registerAll } from './commands/all.js'
import type { CliDeps } from './io.js'

const page = readFileSync(join(import.meta.dirname, '../../docs/cli.md'), 'utf8')

/** Every command that can be run, with its name as it is typed. */
function commandsOf(parent: Command, prefix = ''): { name: string; command: Command }[] {
  return parent.commands.flatMap((command) => {
    const name = `${prefix}${command.name()}`
    return command.commands.length > 0 ? commandsOf(command, `${name} `) : [{ name, command }]
  })
}
const program = new Command('airlift')
registerAll(program, undefined as unknown as CliDeps)
const commands = commandsOf(program)

it.each(commands.map(({ name }) => name))('docs/cli.md has the command %s', (name) => {
  const [first = '', second] = name.split(' ')
  expect(page).toContain(`\`${first}`)
  if (second) expect(page).toMatch(new RegExp(`${first} ${second}|\`${second}\``))
})

it.each([
  ...new Set(
    commands.flatMap(({ command }) => command.options.map((option) => option.long ?? option.short ?? '')),
  ),
])('docs/cli.md has the flag %s', (flag) => {
  expect(page).toMatch(new RegExp(`${flag}(?![-a-z])`))
})
