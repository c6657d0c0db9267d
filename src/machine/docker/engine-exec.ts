import type { Duplex, Readable } from 'node:stream'
import { finished } from 'node:stream/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { isAirliftError } from '../../core/errors.js'
import type { MachineProcess, ProcessExit } from '../session/process.js'
import { demultiplex } from './demultiplex.js'
import type { EngineHttp, EngineQuestion } from './engine-http.js'
import type { InspectAnswer } from './read-container.js'

/** How often at most the engine is asked whether a command that has closed its output has ended. */
const MAX_POLL_MS = 500

/** How often a command that starts is told the size of its terminal. */
const RESIZES = 10

/**
 * Exit codes of a command whose container ended: that of SIGKILL, and the one that the engine gives where the container was
 * gone before the command could be started in it.
 */
const MAY_BE_LOST: ReadonlySet<number> = new Set([126, 137])

/** A command is ended by who started it, through the machine: the end of a whole operation must not cut it off unseen. */
const NEVER: AbortSignal = new AbortController().signal

function question(name: string, body: unknown = {}): EngineQuestion {
  return { subject: { kind: 'container', name, verb: 'run a command in container' }, body, signal: NEVER }
}

async function createExec(
  http: EngineHttp,
  name: string,
  command: readonly string[],
  tty: boolean,
  env: readonly string[],
): Promise<string> {
  const answer = (await http.json(
    'POST',
    `/containers/${encodeURIComponent(name)}/exec`,
    question(name, {
      AttachStdin: true,
      AttachStdout: true,
      AttachStderr: true,
      Tty: tty,
      Cmd: command,
      ...(env.length > 0 ? { Env: env } : {}),
    }),
  )) as { readonly Id: string }
  return answer.Id
}

/** Runs a command in a container; standard input can be ended alone. @throws AirliftError see Engine */
export async function startExec(
  http: EngineHttp,
  name: string,
  command: readonly string[],
): Promise<MachineProcess> {
  const id = await createExec(http, name, command, false, [])
  const socket = await http.hijack(`/exec/${id}/start`, question(name, { Detach: false, Tty: false }))
  const { stdout, stderr, whole } = demultiplex(socket)
  let onDropped: (exit: ProcessExit) => void = () => {}
  const dropped = new Promise<ProcessExit>((resolve) => {
    onDropped = resolve
  })
  const ended = async (): Promise<ProcessExit> => {
    const clean = await whole
    await Promise.all([consumed(stdout), consumed(stderr)])
    return execExit(http, name, id, clean)
  }
  return {
    stdin: socket,
    stdout,
    stderr,
    exit: Promise.race([ended(), dropped]),
    drop: () => {
      onDropped({ kind: 'lost', reason: 'it was dropped' })
      socket.destroy()
    },
  }
}

/** Resolves when a stream has been read to its end or is not wanted any more. */
function consumed(stream: Readable): Promise<void> {
  return finished(stream).catch(() => {})
}

/** Asks how a command ended whose connection is over. Never rejects. */
async function execExit(http: EngineHttp, name: string, id: string, clean: boolean): Promise<ProcessExit> {
  try {
    for (let waitMs = 5; ; waitMs = Math.min(waitMs * 2, MAX_POLL_MS)) {
      const state = (await http.json('GET', `/exec/${id}/json`, question(name))) as {
        readonly Running?: boolean
        readonly ExitCode?: number | null
      }
      if (state.Running !== true) {
        const code = state.ExitCode ?? -1
        if (code >= 0 && !MAY_BE_LOST.has(code)) return { kind: 'code', code }
        for (let asked = 0; asked < 5; asked++) {
          const stopped = await whyStopped(http, name)
          if (stopped) return { kind: 'lost', reason: stopped }
          // The engine notes the end of the command before that of the container.
          await sleep(100)
        }
        return code < 0
          ? { kind: 'lost', reason: 'the engine has no exit code of it' }
          : { kind: 'code', code }
      }
      if (!clean) return { kind: 'lost', reason: 'the connection to the engine was cut' }
      // Its output is closed but it runs on; or the engine has not yet noted its end.
      const stopped = waitMs >= MAX_POLL_MS ? await whyStopped(http, name) : undefined
      if (stopped) return { kind: 'lost', reason: stopped }
      await sleep(waitMs)
    }
  } catch (error) {
    return { kind: 'lost', reason: isAirliftError(error) ? error.message : String(error) }
  }
}

async function whyStopped(http: EngineHttp, name: string): Promise<string | undefined> {
  const path = `/containers/${encodeURIComponent(name)}/json`
  const answer = (await http.json('GET', path, { ...question(name), absent: 404 })) as
    | InspectAnswer
    | undefined
  if (!answer) return `container ${name} was removed`
  return answer.State?.Status === 'running' ? undefined : `container ${name} stopped`
}

/**
 * Runs a command with this process' own stdin, stdout and stderr; with `tty` on a terminal of the same size.
 * @returns the exit code; 255 when the connection is lost
 */
export async function interactExec(
  http: EngineHttp,
  name: string,
  command: readonly string[],
  tty: boolean,
): Promise<number> {
  const { stdin, stdout, stderr } = process
  const raw = tty && stdin.isTTY === true
  const env = tty ? [`TERM=${process.env.TERM ?? 'xterm'}`] : []
  const id = await createExec(http, name, command, tty, env)
  const size = (): { h: number; w: number } => ({ h: stdout.rows ?? 24, w: stdout.columns ?? 80 })
  // From API 1.42 on the terminal has its size from the start; older engines do not know the word.
  const console = tty ? { ConsoleSize: [size().h, size().w] } : {}
  const start = question(name, { Detach: false, Tty: tty, ...console })
  const socket = await http.hijack(`/exec/${id}/start`, start)
  const resize = (): void => void resizeExec(http, name, id, size, socket)
  if (raw) stdin.setRawMode(true)
  if (tty) {
    resize()
    stdout.on('resize', resize)
  }
  stdin.pipe(socket)
  try {
    const clean = tty ? await copyRaw(socket, stdout) : await copyBoth(socket, stdout, stderr)
    const exit = await execExit(http, name, id, clean)
    return exit.kind === 'code' ? exit.code : 255
  } finally {
    stdin.unpipe(socket)
    stdin.pause()
    stdout.off('resize', resize)
    if (raw) stdin.setRawMode(false)
    socket.destroy()
  }
}

/** Tells a command the size of its terminal. One that has not quite started yet is told again, as docker's client does. */
async function resizeExec(
  http: EngineHttp,
  name: string,
  id: string,
  size: () => { readonly h: number; readonly w: number },
  socket: Duplex,
): Promise<void> {
  for (let tries = 1; tries <= RESIZES && !socket.destroyed; tries++) {
    try {
      await http.json('POST', `/exec/${id}/resize`, { ...question(name), query: size() })
      return
    } catch {
      await sleep(tries * 10)
    }
  }
}

function copyRaw(socket: Duplex, stdout: NodeJS.WritableStream): Promise<boolean> {
  socket.pipe(stdout, { end: false })
  return new Promise((resolve) => {
    socket.on('end', () => resolve(true))
    socket.on('error', () => resolve(false))
    socket.on('close', () => resolve(false))
  })
}

async function copyBoth(
  socket: Duplex,
  stdout: NodeJS.WritableStream,
  stderr: NodeJS.WritableStream,
): Promise<boolean> {
  const streams = demultiplex(socket)
  streams.stdout.pipe(stdout, { end: false })
  streams.stderr.pipe(stderr, { end: false })
  const clean = await streams.whole
  await Promise.all([consumed(streams.stdout), consumed(streams.stderr)])
  return clean
}
