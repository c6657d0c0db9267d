import { PassThrough } from 'node:stream'
import type { MachineProcess, ProcessExit } from '../session/process.js'
import type { FakeContainer } from './fake-container.js'
import type { FakeEngineOptions, FakeExecReply } from './fake-engine-types.js'
import type { FakeStore } from './fake-store.js'

/** The commands that run in the containers of a fake engine. */
export interface FakeExec {
  start(name: string, command: readonly string[]): Promise<MachineProcess>
  /** The container ended: so did what ran in it. */
  lose(container: FakeContainer): void
  verify(): void
}

/** Runs commands by asking the test what they answer. */
export function createFakeExec(options: FakeEngineOptions, store: FakeStore): FakeExec {
  const running = new Map<FakeContainer, Set<(exit: ProcessExit) => void>>()
  const unexpected: string[] = []

  return {
    async start(name, command) {
      const container = store.container(name, 'run a command in container')
      if (container.state !== 'running') {
        const text = `Container ${container.id} is not running`
        throw store.error(409, text, { kind: 'container', name, verb: 'run a command in container' })
      }
      const [input, stdout, stderr] = [new PassThrough(), new PassThrough(), new PassThrough()]
      let end: (exit: ProcessExit) => void = () => {}
      const exit = new Promise<ProcessExit>((resolve) => {
        end = resolve
      })
      const all = running.get(container) ?? new Set()
      running.set(container, all)
      all.add(end)
      const finish = (how: ProcessExit): void => {
        all.delete(end)
        stdout.end()
        stderr.end()
        end(how)
      }
      const reply = Promise.resolve(
        options.exec?.({ container: container.name, command, input, stdin: () => readAll(input) }),
      )
      // An error is thrown at the start only when it is known at once; a reply that waits for stdin comes later.
      const early = await Promise.race([
        reply.catch((error: Error) => error),
        new Promise<'later'>((resolve) => setImmediate(() => resolve('later'))),
      ])
      if (early instanceof Error) {
        all.delete(end)
        throw early
      }
      if (early === undefined) {
        unexpected.push(`${name}: ${command.join(' ')}`)
        all.delete(end)
        throw new Error(`unexpected command in ${name}: ${command.join(' ')}`)
      }
      if (early !== 'later' && isProcess(early)) {
        void early.exit.then(() => all.delete(end))
        return { ...early, exit: Promise.race([early.exit, exit]) }
      }
      const answer = async (): Promise<void> => {
        const given = await reply
        if (given instanceof Error) return finish({ kind: 'lost', reason: given.message })
        if (given === undefined) {
          unexpected.push(`${name}: ${command.join(' ')}`)
          return finish({ kind: 'lost', reason: 'unexpected command' })
        }
        if (isProcess(given)) throw new Error('a process must be given before stdin is read')
        const result = typeof given === 'string' ? { stdout: given } : given
        if (result.stdout) stdout.write(result.stdout)
        if (result.stderr) stderr.write(result.stderr)
        // As with a real process, what nobody reads of stdin is dropped.
        input.resume()
        finish({ kind: 'code', code: result.exitCode ?? 0 })
      }
      void answer().catch((error: Error) => finish({ kind: 'lost', reason: error.message }))
      return { stdin: input, stdout, stderr, exit, drop: () => finish({ kind: 'signal', signal: 'SIGKILL' }) }
    },
    lose(container) {
      for (const end of running.get(container) ?? []) {
        end({ kind: 'lost', reason: `container ${container.name} stopped` })
      }
      running.delete(container)
    },
    verify() {
      if (unexpected.length > 0) throw new Error(`unexpected commands:\n${unexpected.join('\n')}`)
    },
  }
}

function isProcess(reply: FakeExecReply): reply is MachineProcess {
  return typeof reply === 'object' && 'stdin' in reply && 'exit' in reply
}

async function readAll(input: PassThrough): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of input) chunks.push(Buffer.from(chunk))
  return Buffer.concat(chunks)
}
