import { posix } from 'node:path'
import { Readable } from 'node:stream'
import type { AirliftError } from '../../core/errors.js'
import { containerBody } from './container-body.js'
import type { ContainerConfig } from './engine.js'
import { engineError } from './engine-error.js'
import { type FakeContainer, volumeOf } from './fake-container.js'
import type { EngineMethod, FakeEngine, FakeEngineFailure, FakeEngineOptions } from './fake-engine-types.js'
import { createFakeExec } from './fake-exec.js'
import { type FakeFile, readTar, writeTar } from './fake-files.js'
import { fakeImageMethods } from './fake-images.js'
import { endpointOf, infoOf } from './fake-info.js'
import { fakeNetworkMethods } from './fake-networks.js'
import { FakeStore, hasLabels } from './fake-store.js'
import { readContainer } from './read-container.js'

const PRIVILEGE_REFUSED = 'privileged containers are not allowed'

/** Makes an engine in memory for tests. It says no in the same words as Docker, and through the same mapping of errors. */
export function createFakeEngine(options: FakeEngineOptions = {}): FakeEngine {
  const store = new FakeStore(options)
  const calls: { method: EngineMethod; args: readonly unknown[] }[] = []
  const failures: { rule: FakeEngineFailure; seen: number }[] = []
  let down = false
  let closed = false
  const url = store.url

  /** Records a call, and fails it when that was asked for. */
  const enter = async (method: EngineMethod, ...args: readonly unknown[]): Promise<void> => {
    calls.push({ method, args })
    await Promise.resolve()
    if (down) throw refused(url)
    for (const failure of failures) {
      const { rule } = failure
      if (rule.method !== undefined && rule.method !== method) continue
      if (rule.match !== undefined && !JSON.stringify(args).includes(rule.match)) continue
      failure.seen++
      const at = failure.seen - (rule.skip ?? 0)
      if (at < 1 || at > (rule.times ?? 1)) continue
      if (rule.error instanceof Error) throw rule.error
      const kind = /container|exec|archive|logs/i.test(method) ? 'container' : 'engine'
      throw engineError(rule.error, { kind, name: String(args[0] ?? ''), verb: words(method), url })
    }
  }

  const execs = createFakeExec(options, store)
  const stop = (container: FakeContainer, code: number): void => {
    if (container.state !== 'running') return
    Object.assign(container, { state: 'exited', exitCode: code, address: '', address6: '', ports: [] })
    execs.lose(container)
    for (const waiter of container.waiters.splice(0)) waiter(code)
  }
  const start = async (container: FakeContainer): Promise<void> => {
    if (container.state === 'running') return
    store.attach(container)
    Object.assign(container, { state: 'running', exitCode: 0, startedAt: new Date().toISOString() })
    await options.onStart?.(container.name, engine)
  }
  const files = (name: string): Map<string, FakeFile> => {
    const { config, files: own } = store.container(name, 'read files of container')
    const all = new Map([...(store.image(config.image)?.files ?? []), ...own])
    for (const mount of config.mounts) {
      if (mount.kind !== 'volume') continue
      for (const [path, file] of store.volumes.get(mount.source)?.files ?? []) {
        all.set(posix.join(mount.target, path).replace(/\/$/, ''), file)
      }
    }
    return all
  }

  const below = (name: string, path: string): Map<string, FakeFile> =>
    new Map([...files(name)].filter(([one]) => one === path || one.startsWith(`${path}/`)))

  const engine: FakeEngine = {
    endpoint: endpointOf(options.endpoint),
    calls,
    get closed() {
      return closed
    },
    async info() {
      await enter('info')
      return infoOf(options.info)
    },
    async containers(labels) {
      await enter('containers', labels)
      return [...store.containers.values()]
        .filter((one) => hasLabels(one.config.labels, labels))
        .map((one) => readContainer(store.inspect(one)))
    },
    async container(name) {
      await enter('container', name)
      const found = store.find(name)
      return found && readContainer(store.inspect(found))
    },
    async createContainer(config) {
      await enter('createContainer', config)
      return create(store, config, options)
    },
    async checkPrivileged() {
      await enter('checkPrivileged')
      const subject = { kind: 'engine', name: '', verb: 'make privileged containers' } as const
      if (options.refusesPrivileged) throw store.error(403, PRIVILEGE_REFUSED, subject)
    },
    async startContainer(name) {
      await enter('startContainer', name)
      await start(store.container(name, 'start container'))
    },
    async stopContainer(name, timeoutSeconds) {
      await enter('stopContainer', name, timeoutSeconds)
      stop(store.container(name, 'stop container'), 137)
    },
    async restartContainer(name, timeoutSeconds) {
      await enter('restartContainer', name, timeoutSeconds)
      const container = store.container(name, 'restart container')
      stop(container, 137)
      await start(container)
    },
    async setRestart(name, policy) {
      await enter('setRestart', name, policy)
      const container = store.container(name, 'change container')
      container.config = { ...container.config, restart: policy }
    },
    async removeContainer(name, { force }) {
      await enter('removeContainer', name, { force })
      const found = store.find(name)
      if (!found) return
      if (found.state === 'running' && !force) {
        const text = `You cannot remove a running container ${found.id}. Stop the container before attempting removal or force remove`
        throw store.error(409, text, { kind: 'container', name, verb: 'remove container' })
      }
      stop(found, 137)
      store.containers.delete(found.name)
    },
    async renameContainer(name, to) {
      await enter('renameContainer', name, to)
      const container = store.container(name, 'rename container')
      if (store.containers.has(to)) throw taken(store, to, 'rename container')
      store.containers.delete(container.name)
      container.name = to
      store.containers.set(to, container)
    },
    async waitContainer(name) {
      await enter('waitContainer', name)
      const container = store.container(name, 'wait for container')
      if (container.state !== 'running') return container.exitCode
      return new Promise<number>((resolve) => container.waiters.push(resolve))
    },
    async logs(name, { tail, since }) {
      await enter('logs', name, { tail, since })
      const lines = store.container(name, 'read logs of container').logs.split(/(?<=\n)/)
      const future = since !== undefined && Date.parse(since) > Date.now()
      return tail === 0 || future ? '' : lines.slice(-tail).join('')
    },
    async logStream(name) {
      await enter('logStream', name)
      return Readable.from([Buffer.from(store.container(name, 'read logs of container').logs)])
    },
    async putArchive(name, path, tar) {
      await enter('putArchive', name, path)
      const container = store.container(name, 'put files into container')
      const known = path === '/' || container.config.mounts.some((mount) => mount.target === path)
      if (!known && below(name, path).size === 0) {
        const text = `Could not find the file ${path} in container ${name}`
        throw store.error(404, text, { kind: 'container', name, verb: 'put files into container' })
      }
      for (const [target, file] of await readTar(tar, path)) {
        const inside = volumeOf(container.config, target)
        const volume = inside && store.volumes.get(inside.volume)
        if (inside && volume) volume.files.set(inside.inside, file)
        else container.files.set(target, file)
      }
    },
    async getArchive(name, path) {
      await enter('getArchive', name, path)
      const found = below(name, path)
      return found.size === 0 ? undefined : Readable.from([writeTar(found, posix.dirname(path))])
    },
    async hasPath(name, path) {
      await enter('hasPath', name, path)
      return below(name, path).size > 0
    },
    async exec(name, command) {
      await enter('exec', name, command)
      return execs.start(name, command)
    },
    async execInteractive(name, command, tty) {
      await enter('execInteractive', name, command, tty)
      const child = await execs.start(name, command)
      child.stdin.end()
      child.stdout.resume()
      child.stderr.resume()
      const exit = await child.exit
      return exit.kind === 'code' ? exit.code : 255
    },
    ...fakeNetworkMethods(options, store, enter),
    ...fakeImageMethods(options, store, enter),
    async close() {
      closed = true
    },

    files,
    remember: () => store.remember(),
    volumeFiles: (volume) => store.volumes.get(volume)?.files ?? new Map(),
    addImage: (ref, image) => store.addImage(ref, image),
    fail: (rule) => {
      failures.push({ rule, seen: 0 })
    },
    exit: (name, code) => stop(store.container(name, 'end container'), code),
    log: (name, text) => {
      store.container(name, 'log of container').logs += text
    },
    async restartDaemon() {
      const all = [...store.containers.values()].filter((one) => one.state !== 'created')
      for (const container of all) if (container.state === 'running') stop(container, 255)
      // As Docker: also what was stopped before.
      for (const container of all) if (container.config.restart === 'always') await start(container)
    },
    unreachable: (value) => {
      down = value
    },
    verify: () => execs.verify(),
  }
  return engine
}

function create(store: FakeStore, config: ContainerConfig, options: FakeEngineOptions): string {
  const subject = { kind: 'container', name: config.name, verb: 'create container' } as const
  if (store.containers.has(config.name)) throw taken(store, config.name, 'create container')
  if (!store.image(config.image)) throw store.error(404, `No such image: ${config.image}`, subject)
  if (config.privileged && options.refusesPrivileged) {
    throw store.error(403, PRIVILEGE_REFUSED, subject)
  }
  for (const mount of config.mounts) {
    if (mount.kind === 'bind' && options.missingPaths?.includes(mount.source)) {
      const text = `invalid mount config for type "bind": bind source path does not exist: ${mount.source}`
      throw store.error(400, text, subject)
    }
    if (mount.kind === 'volume' && !store.volumes.has(mount.source)) {
      store.volumes.set(mount.source, { labels: {}, files: new Map() })
    }
  }
  const id = store.id(config.name)
  store.containers.set(config.name, {
    id,
    name: config.name,
    config,
    body: containerBody(config),
    state: 'created',
    exitCode: 0,
    startedAt: '0001-01-01T00:00:00Z',
    restarts: 0,
    address: '',
    networkId: '',
    address6: '',
    ports: [],
    files: new Map(),
    logs: '',
    waiters: [],
  })
  return id
}

function taken(store: FakeStore, name: string, verb: string): Error {
  const text = `Conflict. The container name "/${name}" is already in use by container "${store.find(name)?.id}". You have to remove (or rename) that container to be able to reuse that name.`
  return store.error(409, text, { kind: 'container', name, verb })
}

/** `createContainer` as words: `create container`. */
function words(method: string): string {
  return method.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`)
}

function refused(url: string): AirliftError {
  const failure = { text: `connect ECONNREFUSED ${url}`, errno: 'ECONNREFUSED' }
  return engineError(failure, { kind: 'engine', name: url, verb: 'ask the engine', url })
}
