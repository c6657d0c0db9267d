import { statfs } from 'node:fs/promises'
import { request } from 'node:http'
import { connect } from 'node:net'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import type { Context } from '../core/context.js'
import { type Problem, problem } from '../runtime/preflight/problem.js'

/** How the operator's own computer is called in problems. */
export const THIS_COMPUTER = 'this computer'

/** A bundle of k3s with its images takes about 300 MiB, its download twice that. */
const WANTED_BYTES = 2 * 1024 ** 3
const ANSWER_MS = 2000

/** Looks at the computer that airlift runs on: Node.js, the SSH agent, Docker's engine, room for the download cache. */
export async function checkThisComputer(ctx: Pick<Context, 'env'>): Promise<Problem[]> {
  const found = await Promise.all([checkAgent(ctx.env), checkDocker(ctx.env), checkDisk(ctx.env)])
  return [...checkNode(process.versions.node), ...found.flat()]
}

/** Whether this Node.js is one that airlift supports (package.json `engines`). */
export function checkNode(version: string): Problem[] {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  if (major > 20 || (major === 20 && minor >= 19)) return []
  return [problem('node-version', THIS_COMPUTER, `Node.js ${version} is older than 20.19`)]
}

type Env = Readonly<Record<string, string | undefined>>

async function checkAgent(env: Env): Promise<Problem[]> {
  const socket = env.SSH_AUTH_SOCK
  if (!socket) return [problem('ssh-agent', THIS_COMPUTER, 'no SSH agent: SSH_AUTH_SOCK is not set')]
  const keys = await countAgentKeys(socket)
  if (keys === undefined) return [problem('ssh-agent', THIS_COMPUTER, `no SSH agent answers at ${socket}`)]
  return keys === 0 ? [problem('ssh-agent', THIS_COMPUTER, `the SSH agent at ${socket} holds no key`)] : []
}

/** Asks an agent for its identities (message 11) and reads their number from the answer (message 12). */
function countAgentKeys(path: string): Promise<number | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ path })
    const end = (count: number | undefined): void => {
      clearTimeout(timer)
      socket.destroy()
      resolve(count)
    }
    const timer = setTimeout(() => end(undefined), ANSWER_MS)
    let got = Buffer.alloc(0)
    socket.on('connect', () => socket.write(Buffer.from([0, 0, 0, 1, 11])))
    socket.on('data', (chunk: Buffer) => {
      got = Buffer.concat([got, chunk])
      if (got.length >= 9) end(got[4] === 12 ? got.readUInt32BE(5) : undefined)
    })
    socket.on('error', () => end(undefined))
    socket.on('close', () => end(undefined))
  })
}

async function checkDocker(env: Env): Promise<Problem[]> {
  const host = env.DOCKER_HOST ?? 'unix:///var/run/docker.sock'
  const target = dockerTarget(host)
  // Engines behind ssh:// or TLS are for the Docker client to reach.
  if (!target) return []
  const answers = await new Promise<boolean>((resolve) => {
    const call = request({ ...target, path: '/_ping', timeout: ANSWER_MS }, (response) => {
      response.resume()
      resolve(response.statusCode === 200)
    })
    call.on('timeout', () => call.destroy(new Error('timed out')))
    call.on('error', () => resolve(false))
    call.end()
  })
  return answers ? [] : [problem('docker-engine', THIS_COMPUTER, `no Docker engine answers at ${host}`)]
}

function dockerTarget(host: string): { socketPath: string } | { host: string; port: number } | undefined {
  if (host.startsWith('unix://')) return { socketPath: host.slice('unix://'.length) }
  const tcp = /^tcp:\/\/([^:/]+):(\d+)$/.exec(host)
  return tcp && tcp[2] !== '2376' ? { host: tcp[1] ?? '', port: Number(tcp[2]) } : undefined
}

async function checkDisk(env: Env): Promise<Problem[]> {
  const cache = env.XDG_CACHE_HOME || join(env.HOME || homedir(), '.cache')
  for (let path = cache; ; path = dirname(path)) {
    try {
      const { bavail, bsize } = await statfs(path)
      const free = bavail * bsize
      if (free >= WANTED_BYTES) return []
      return [
        problem(
          'local-disk',
          THIS_COMPUTER,
          `${cache}: ${Math.floor(free / 1024 ** 2)} MiB free, 2 GiB wanted`,
        ),
      ]
    } catch {
      if (path === dirname(path)) return []
    }
  }
}
