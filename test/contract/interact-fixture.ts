import { reach } from './reach.js'

/** Run by the test in a process of its own: an interactive command with that process' stdin, stdout and exit code. */
const [port, identity, transport, command] = process.argv.slice(2)
const machine = await reach({
  port: Number(port),
  flags: { identities: [identity ?? ''], hostKeys: 'off', transport: transport as 'ssh' | 'openssh' },
})
process.exitCode = await machine.interact?.(command ?? '', { tty: false })
await machine.close()
