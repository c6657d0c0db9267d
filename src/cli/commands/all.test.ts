import { Command } from 'commander'
import { describe, expect, it } from 'vitest'
import type { CliDeps } from '../io.js'
import { main } from '../main.js'
import { registerAll, registerNamed } from './all.js'

const deps = undefined as unknown as CliDeps

function programFor(first: string | undefined): Command {
  const program = new Command('airlift')
  registerNamed(program, deps, first)
  return program
}

const whole = new Command('airlift')
registerAll(whole, deps)
const names = whole.commands.map((command) => command.name())

/** The help of a command and of all below it. */
function helpOf(command: Command): string[] {
  return [command.helpInformation(), ...command.commands.flatMap(helpOf)]
}

async function print(...argv: string[]): Promise<string> {
  const out: string[] = []
  const code = await main(argv, { env: {}, stdout: { write: (text) => out.push(text) } })
  expect(code).toBe(0)
  return out.join('')
}

it('knows every command', () => {
  expect(names).toEqual(expect.arrayContaining(['run', 'add', 'delete', 'image', 'rootfs', 'version']))
  expect(new Set(names).size).toBe(names.length)
})

describe.each(names)('%s', (name) => {
  const named = programFor(name)
  const own = named.commands.find((command) => command.name() === name)

  it('is defined alone when it is named, but for completion, which completes them all', () => {
    expect(named.commands.map((command) => command.name())).toEqual(name === 'completion' ? names : [name])
  })

  it('has the same flags, subcommands and help as among all', () => {
    const among = whole.commands.find((command) => command.name() === name)
    expect(own && helpOf(own)).toEqual(among && helpOf(among))
  })

  it('explains itself the same, by --help and by help', async () => {
    const help = await print(name, '--help')
    expect(help).toContain(`airlift ${name}`)
    expect(await print('help', name)).toBe(help)
  })
})

it.each([undefined, '', '--help', '-h', 'help', '--version', 'rnu', 'toString', '__proto__'])(
  'all are defined for a command line that begins with %j',
  (first) => {
    expect(programFor(first).commands.map((command) => command.name())).toEqual(names)
  },
)

it('shows every command in the help of the program, in its group', async () => {
  const help = await print('--help')
  for (const name of names) expect(help).toMatch(new RegExp(`^  ${name}\\b`, 'm'))
  expect(help).toMatch(/^Clusters:\n {2}run[\s\S]*^Machines:\n[\s\S]*^Bundles:\n[\s\S]*^Other:\n/m)
})
