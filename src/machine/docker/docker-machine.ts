import type { Context } from '../../core/context.js'
import { containerId } from '../container-id.js'
import type { Machine } from '../machine.js'
import type { Transport } from '../session/process.js'
import { createSessionMachine } from '../session/session-machine.js'
import { BOOT_ARGS } from '../session/wire.js'
import type { Engine } from './engine.js'

/** What {@link createDockerMachine} needs. */
export interface DockerMachineParts {
  readonly engine: Engine
  /** Name of the container; also what messages call the machine. */
  readonly name: string
  readonly ctx: Context
}

/**
 * Where a node image has its shell and its tools: an image that was made from k3s alone has nothing but `/bin/aux`, and no
 * image has k3s' own directory in the PATH of `exec` for sure.
 */
const NODE_PATH = '/bin:/bin/aux:/usr/local/bin'
const SHELLS = ['/bin/sh', '/bin/aux/sh'] as const

/** A container as a machine, `docker://NAME`. The container need not be there or run before something is run in it. */
export function createDockerMachine({ engine, name, ctx }: DockerMachineParts): Machine {
  return createSessionMachine({
    id: containerId(name),
    name,
    kind: 'docker',
    transport: createDockerTransport(engine, name),
    // Commands in containers are root's; whoever is not root there has no sudo either.
    sudo: { mode: 'never' },
    ctx,
  })
}

/** Processes in one container, each an exec of the engine. */
export function createDockerTransport(engine: Engine, name: string): Transport {
  let shell: Promise<string> | undefined
  const findShell = (): Promise<string> => {
    const found = shell ?? chooseShell(engine, name)
    shell = found
    // Of a container that is not there yet it is asked again.
    found.catch(() => {
      shell = undefined
    })
    return found
  }
  const withPath = (script: string): string => `PATH="\${PATH:+$PATH:}${NODE_PATH}"; export PATH; ${script}`
  return {
    async start() {
      return engine.exec(name, [await findShell(), BOOT_ARGS[0], withPath(BOOT_ARGS[1])])
    },
    async interact(command, tty) {
      const found = await findShell()
      const own = command.replace(/^exec \/bin\/sh /, `exec ${found} `)
      return engine.execInteractive(name, [found, '-c', withPath(own)], tty)
    },
    unpack: (directory, tar) => engine.putArchive(name, directory, tar),
    // The engine is shared by all machines; who connected it closes it.
    async close() {},
  }
}

/** The first shell that the container has. Asked only where the usual one is missing, hence the order. */
async function chooseShell(engine: Engine, name: string): Promise<string> {
  for (const path of SHELLS.slice(0, -1)) {
    if (await engine.hasPath(name, path)) return path
  }
  return SHELLS[SHELLS.length - 1] ?? '/bin/sh'
}
