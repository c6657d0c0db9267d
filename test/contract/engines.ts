import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { type Context, createContext } from '../../src/core/context.js'
import { connectEngine } from '../../src/machine/docker/connect-engine.js'
import { container } from '../../src/machine/docker/container.fixture.js'
import { createDockerMachine } from '../../src/machine/docker/docker-machine.js'
import type { ContainerConfig, Engine } from '../../src/machine/docker/engine.js'
import { createFakeEngine } from '../../src/machine/docker/fake-engine.js'
import type { FakeEngine, FakeExecCall } from '../../src/machine/docker/fake-engine-types.js'
import type { Machine } from '../../src/machine/machine.js'
import type { MachineProcess, ProcessExit } from '../../src/machine/session/process.js'
import { labMissing } from '../lab/lab.js'
import { tinyRoot } from './tiny-root.js'

/** What all names of a run begin with; nothing else on the engine is touched. */
export const PREFIX = `airlift-test-${process.pid}`
/** Made by {@link prepareEngine}. */
export const IMAGE = `${PREFIX}:sh`

/** An engine to run the scenarios on. */
export interface EngineUnderTest {
  readonly kind: 'fake' | 'real'
  readonly engine: Engine
  /** Ends the process of a container from inside. */
  end(name: string): Promise<void>
}

/** The engines that the scenarios run on: the fake, and where there is a lab the real one. */
export const engineKinds = labMissing() ? (['fake'] as const) : (['fake', 'real'] as const)

/** Makes an engine with the image of the scenarios on it. */
export async function prepareEngine(kind: 'fake' | 'real'): Promise<EngineUnderTest> {
  const fake = kind === 'fake' ? createFakeEngine({ exec: runHere, onStart }) : undefined
  const engine: Engine = fake ?? (await connectEngine(createContext()))
  await engine.importImage(IMAGE, tinyRoot('/bin'), [
    'ENTRYPOINT ["/bin/sh"]',
    'ENV PATH=/bin',
    'LABEL airlift.test=image',
  ])
  return {
    kind,
    engine,
    end: async (name) => {
      if (fake) fake.exit(name, 0)
      else await engine.exec(name, ['/bin/sh', '-c', 'kill -TERM 1'])
    },
  }
}

/** Removes everything that the scenarios made. */
export async function cleanEngine(engine: Engine): Promise<void> {
  for (const one of await engine.containers([`airlift.test=${PREFIX}`])) {
    await engine.removeContainer(one.name, { force: true })
  }
  for (const one of await engine.networks()) {
    if (one.name.startsWith(PREFIX)) await engine.removeNetwork(one.name)
  }
  for (const one of await engine.volumes([`airlift.test=${PREFIX}`])) await engine.removeVolume(one.name)
  for (const one of await engine.images(['airlift.test=image'])) {
    for (const tag of one.tags) if (tag.startsWith(PREFIX)) await engine.removeImage(tag)
  }
  await engine.close()
}

/** A container that does nothing until it is told to end. */
export function sleeper(name: string, over: Partial<ContainerConfig> = {}): ContainerConfig {
  return container({
    name: `${PREFIX}-${name}`,
    image: IMAGE,
    hostname: name,
    entrypoint: ['/bin/sh', '-c'],
    command: ['trap "exit 3" TERM; echo up; echo err >&2; while :; do sleep 0.1; done'],
    labels: { 'airlift.test': PREFIX },
    stopTimeoutSeconds: 3,
    ...over,
  })
}

/** A running container as a machine that sees the programs of this computer and a directory of it. */
export async function containerHere(engine: Engine, dir: string, ctx: Context): Promise<Machine> {
  const here = ['/usr', '/bin', '/sbin', '/lib', '/lib64'].filter((path) => existsSync(path))
  const mounts = [
    ...here.map((path) => ({ source: path, target: path, readOnly: true })),
    { source: dir, target: dir, readOnly: false },
  ].map((mount) => ({ ...mount, kind: 'bind' as const }))
  const config = sleeper('machine', { mounts })
  await engine.createContainer(config)
  await engine.startContainer(config.name)
  return createDockerMachine({ engine, name: config.name, ctx })
}

/** Commands in containers of the fake run on this computer. */
function runHere({ command, input }: FakeExecCall): MachineProcess {
  const child = spawn(command[0] ?? '', command.slice(1), { stdio: 'pipe' })
  input.pipe(child.stdin)
  child.stdin.on('error', () => input.resume())
  const exit = new Promise<ProcessExit>((resolve) => {
    child.on('close', (code) => resolve({ kind: 'code', code: code ?? 137 }))
    child.on('error', (error) => resolve({ kind: 'lost', reason: error.message }))
  })
  return { stdin: input, stdout: child.stdout, stderr: child.stderr, exit, drop: () => void child.kill() }
}

function onStart(name: string, engine: FakeEngine): void {
  engine.log(name, 'up\nerr\n')
}
