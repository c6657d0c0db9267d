import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { execa } from 'execa'

/**
 * A Docker engine of the test's own, which may be stopped and killed without the shared one noticing. It lives in a
 * network namespace of its own, because a second dockerd would begin with deleting the packet filter rules of the first;
 * and in a process namespace of its own, which takes its containers with it whatever becomes of the test.
 */
export interface OwnEngine {
  /** What DOCKER_HOST is for it. */
  readonly host: string
  /** What a command must begin with to reach the ports that it publishes at 127.0.0.1. */
  readonly through: readonly string[]
  docker(...args: string[]): Promise<string>
  /** Copies an image from the engine that the tests run on. */
  takeImage(ref: string): Promise<void>
  /** Ends dockerd with a signal, and waits until it is gone. */
  end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void>
  /** Ends dockerd, containerd and all containers in one moment, as a power failure does. */
  powerOff(): Promise<void>
  /** Starts it (again), and waits until it answers. */
  start(): Promise<void>
  /** Ends and deletes everything. */
  remove(): Promise<void>
}

const NEEDS = ['dockerd', 'unshare', 'nsenter', 'setpriv', 'ip']

/** Why no engine of one's own can be had here; undefined when it can. */
export function ownEngineMissing(): string | undefined {
  if (process.getuid?.() !== 0) return 'not root'
  const missing = NEEDS.filter((name) => !which(name))
  if (missing.length > 0) return `no ${missing.join(', ')}`
  if (tryNamespaces()) return undefined
  return 'no namespaces of its own'
}

/** Starts an engine that keeps all that it has in a directory. */
export async function startOwnEngine(dir: string): Promise<OwnEngine> {
  mkdirSync(dir, { recursive: true })
  writeFileSync(`${dir}/daemon.json`, JSON.stringify(runtimesOfThisMachine()))
  const host = `unix://${dir}/docker.sock`
  const through: string[] = []
  let room: Room | undefined
  let dockerd: ChildProcess | undefined

  const docker = async (...args: string[]): Promise<string> =>
    (await execa('docker', ['--host', host, ...args])).stdout.trim()

  const engine: OwnEngine = {
    host,
    through,
    docker,
    async takeImage(ref) {
      await execa('sh', ['-c', 'docker save "$1" | docker --host "$2" load', 'sh', ref, host])
    },
    async end(signal) {
      if (!dockerd) return
      const gone = once(dockerd, 'exit')
      // What was spawned is nsenter; dockerd is its only child.
      process.kill(Number(childrenOf(dockerd.pid ?? 0)[0]), signal)
      await gone
      dockerd = undefined
    },
    async powerOff() {
      const gone = dockerd ? once(dockerd, 'exit') : undefined
      await room?.close()
      await gone
      room = undefined
      dockerd = undefined
      if (existsSync(`${dir}/data/containers`)) removeCgroups(readdirSync(`${dir}/data/containers`))
    },
    async start() {
      if (!room) {
        // Left over from a power failure; the numbers in them belong to other processes of the new room.
        for (const stale of ['dockerd.pid', 'exec'])
          rmSync(`${dir}/${stale}`, { recursive: true, force: true })
        room = await openRoom()
      }
      through.splice(0, through.length, 'nsenter', '--target', room.pid, '--net', '--')
      dockerd = startDockerd(dir, host, room)
      for (let i = 0; i < 300; i++) {
        if (await docker('version').then(Boolean, () => false)) return
        if (dockerd.exitCode !== null) break
        await sleep(200)
      }
      throw new Error(`dockerd does not answer: ${readFileSync(`${dir}/log`, 'utf8').slice(-2000)}`)
    },
    async remove() {
      await engine.powerOff()
      rmSync(dir, { recursive: true, force: true })
    },
  }
  await engine.start()
  return engine
}

/**
 * A computer that starts again has none of before. Those of pods inside of a container keep the engine from starting it: a group
 * that has others below it does not take the devices that are allowed (cgroup v1).
 */
function removeCgroups(containers: readonly string[]): void {
  for (const id of containers) {
    const below = ['/sys/fs/cgroup', '-depth', '-type', 'd', '-path', `*/${id}*`]
    spawnSync('find', [...below, '-exec', 'rmdir', '{}', '+'], { stdio: 'ignore' })
  }
}

interface Room {
  /** The first process of the namespaces, as seen from here. */
  readonly pid: string
  close(): Promise<void>
}

const NAMESPACES = ['--net', '--pid', '--mount', '--fork', '--kill-child', '--mount-proc']

/** Namespaces with one process that does nothing but bury the orphans of the others. It ends with this process. */
async function openRoom(): Promise<Room> {
  const first = 'ip link set lo up && while :; do sleep 3600 & wait; done'
  const args = [
    '--pdeathsig',
    'KILL',
    'unshare',
    ...NAMESPACES,
    '--propagation',
    'private',
    'sh',
    '-c',
    first,
  ]
  const holder = spawn('setpriv', args, { stdio: 'ignore' })
  for (let i = 0; i < 100; i++) {
    const [pid] = childrenOf(holder.pid ?? 0)
    // The namespaces are complete when the loop has begun.
    if (pid && childrenOf(Number(pid)).length > 0) {
      return {
        pid,
        close: async () => {
          const gone = once(holder, 'exit')
          process.kill(Number(pid), 'SIGKILL')
          await gone
        },
      }
    }
    await sleep(50)
  }
  holder.kill('SIGKILL')
  throw new Error('no namespaces')
}

function startDockerd(dir: string, host: string, room: Room): ChildProcess {
  const log = openSync(`${dir}/log`, 'a')
  const names = ['--containerd-namespace', 'own', '--containerd-plugins-namespace', 'own-plugins']
  const paths = [
    '--data-root',
    `${dir}/data`,
    '--exec-root',
    `${dir}/exec`,
    '--pidfile',
    `${dir}/dockerd.pid`,
  ]
  const flags = ['--config-file', `${dir}/daemon.json`, ...paths, '--host', host, ...names]
  const enter = ['--target', room.pid, '--net', '--pid', '--mount', '--']
  const child = spawn('nsenter', [...enter, 'dockerd', ...flags], { stdio: ['ignore', log, log] })
  closeSync(log)
  return child
}

/** The container runtimes that this machine's engine needs; nothing else of its configuration. */
function runtimesOfThisMachine(): Record<string, unknown> {
  const file = '/etc/docker/daemon.json'
  if (!existsSync(file)) return {}
  const config = JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>
  const kept = ['runtimes', 'default-runtime'].filter((key) => config[key] !== undefined)
  return Object.fromEntries(kept.map((key) => [key, config[key]]))
}

function childrenOf(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean)
  } catch {
    return []
  }
}

function which(name: string): boolean {
  const dirs = `${process.env.PATH ?? ''}:/usr/sbin:/sbin`.split(':')
  return dirs.some((dir) => existsSync(`${dir}/${name}`))
}

function tryNamespaces(): boolean {
  try {
    execFileSync('unshare', [...NAMESPACES, 'true'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}
