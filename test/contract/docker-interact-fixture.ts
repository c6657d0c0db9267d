import { createContext } from '../../src/core/context.js'
import { connectEngine } from '../../src/machine/docker/connect-engine.js'
import { createDockerMachine } from '../../src/machine/docker/docker-machine.js'

/** Run by the test in a process of its own: a command in a container with that process' stdin, stdout and exit code. */
const [name = '', command = '', tty] = process.argv.slice(2)
const ctx = createContext()
const engine = await connectEngine(ctx)
process.exitCode = await createDockerMachine({ engine, name, ctx }).interact?.(command, {
  tty: tty === 'tty',
})
await engine.close()
