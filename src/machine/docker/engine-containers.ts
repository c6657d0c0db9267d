import { Readable } from 'node:stream'
import pLimit from 'p-limit'
import { type ErrorCode, isAirliftError } from '../../core/errors.js'
import { containerBody } from './container-body.js'
import { mixFrames } from './demultiplex.js'
import type { Engine } from './engine.js'
import { interactExec, startExec } from './engine-exec.js'
import type { EngineHttp, EngineQuestion } from './engine-http.js'
import type { InspectAnswer } from './read-container.js'
import { readContainer } from './read-container.js'

/** More at once only wait for each other in the engine, and each waits longer. */
const STARTS_AT_ONCE = 6
/** Questions at once about containers of a list. */
const INSPECTS_AT_ONCE = 4
/** The name of an image that cannot be: `invalid` is no domain. */
const NO_IMAGE = 'airlift.invalid/none:none'
/** Errors that say something else than that the image is not there. */
const KNOWN = new Set<ErrorCode>(['E_ENGINE_PRIVILEGE', 'E_ENGINE_UNREACHABLE', 'E_INTERRUPTED'])
/** How long a removal that somebody else began may take. */
const REMOVAL_MS = 10_000

type ContainerMethods = Pick<
  Engine,
  | 'containers'
  | 'container'
  | 'createContainer'
  | 'checkPrivileged'
  | 'startContainer'
  | 'stopContainer'
  | 'restartContainer'
  | 'setRestart'
  | 'removeContainer'
  | 'renameContainer'
  | 'waitContainer'
  | 'logs'
  | 'logStream'
  | 'putArchive'
  | 'getArchive'
  | 'hasPath'
  | 'exec'
  | 'execInteractive'
>

/** So often, and so long apart, a change is asked for while a container ends. */
const UPDATES = 20
const UPDATE_PAUSE_MS = 150

/** The methods of an engine that are about containers. */
export function containerMethods(http: EngineHttp, sleep: (ms: number) => Promise<void>): ContainerMethods {
  const starts = pLimit(STARTS_AT_ONCE)
  const inspects = pLimit(INSPECTS_AT_ONCE)
  const path = (name: string, rest: string): string => `/containers/${encodeURIComponent(name)}${rest}`
  const about = (name: string, verb: string, query?: EngineQuestion['query']): EngineQuestion => ({
    subject: { kind: 'container', name, verb: `${verb} container` },
    ...(query ? { query } : {}),
  })
  const container: Engine['container'] = async (name) => {
    const answer = await http.json('GET', path(name, '/json'), { ...about(name, 'look at'), absent: 404 })
    return answer ? readContainer(answer as InspectAnswer) : undefined
  }
  const logs = async (name: string, tail: string, since?: string): Promise<Readable> => {
    const from = since === undefined ? {} : { since: (Date.parse(since) / 1000).toFixed(3) }
    const query = { stdout: true, stderr: true, tail, ...from }
    const stream = await http.stream('GET', path(name, '/logs'), about(name, 'read logs of', query))
    return stream ? mixFrames(stream) : Readable.from([])
  }

  return {
    async containers(labels) {
      const filters = labels.length > 0 ? { label: labels } : undefined
      const found = (await http.json('GET', '/containers/json', {
        query: { all: true, filters },
        subject: { kind: 'engine', name: '', verb: 'list containers' },
      })) as readonly { readonly Id: string }[]
      const each = await Promise.all(found.map(({ Id }) => inspects(() => container(Id))))
      // One that was removed since the list was made is not there.
      return each.flatMap((one) => (one ? [one] : []))
    },
    container,
    async createContainer(config) {
      const answer = (await http.json('POST', '/containers/create', {
        ...about(config.name, 'create', { name: config.name }),
        body: containerBody(config),
      })) as { readonly Id: string }
      return answer.Id
    },
    async checkPrivileged(usernsMode) {
      const HostConfig = { Privileged: true, ...(usernsMode ? { UsernsMode: usernsMode } : {}) }
      try {
        await http.json('POST', '/containers/create', {
          subject: { kind: 'engine', name: '', verb: 'make privileged containers' },
          body: { Image: NO_IMAGE, Entrypoint: ['/airlift'], HostConfig },
          absent: 404,
        })
      } catch (error) {
        // That there is no such image has more words than one status.
        if (!isAirliftError(error) || KNOWN.has(error.code)) throw error
      }
    },
    async startContainer(name) {
      await starts(() => http.json('POST', path(name, '/start'), about(name, 'start')))
    },
    async stopContainer(name, timeoutSeconds) {
      await http.json('POST', path(name, '/stop'), about(name, 'stop', { t: Math.ceil(timeoutSeconds) }))
    },
    async restartContainer(name, timeoutSeconds) {
      const question = about(name, 'restart', { t: Math.ceil(timeoutSeconds) })
      await starts(() => http.json('POST', path(name, '/restart'), question))
    },
    async setRestart(name, policy) {
      const body = { RestartPolicy: { Name: policy } }
      for (let tries = 1; ; tries++) {
        try {
          // 404 is also what an engine says that cannot do it.
          await http.json('POST', path(name, '/update'), { ...about(name, 'change'), body, absent: 404 })
          return
        } catch (error) {
          // It has just ended, and the engine does not know that yet.
          if (tries >= UPDATES || !isAirliftError(error) || !/not running/.test(error.message)) throw error
          await sleep(UPDATE_PAUSE_MS)
        }
      }
    },
    async removeContainer(name, { force }) {
      try {
        const query = { force, v: true }
        await http.json('DELETE', path(name, ''), { ...about(name, 'remove', query), absent: 404 })
      } catch (error) {
        if (!isAirliftError(error) || !/already in progress/.test(error.message)) throw error
        await gone(container, name, sleep)
      }
    },
    async renameContainer(name, to) {
      await http.json('POST', path(name, '/rename'), about(name, 'rename', { name: to }))
    },
    async waitContainer(name) {
      const answer = await http.json('POST', path(name, '/wait'), about(name, 'wait for'))
      return (answer as { readonly StatusCode?: number } | undefined)?.StatusCode ?? 0
    },
    async logs(name, { tail, since }) {
      const chunks: Buffer[] = []
      for await (const chunk of await logs(name, String(tail), since)) chunks.push(chunk as Buffer)
      return Buffer.concat(chunks).toString('utf8')
    },
    logStream: (name) => logs(name, 'all'),
    async putArchive(name, target, tar) {
      try {
        const question = about(name, 'put files into', { path: target })
        await http.json('PUT', path(name, '/archive'), { ...question, file: tar })
      } finally {
        if (tar instanceof Readable) tar.destroy()
      }
    },
    async getArchive(name, source) {
      const question = about(name, 'read files of', { path: source })
      const tar = await http.stream('GET', path(name, '/archive'), { ...question, absent: 404 })
      // 404 is said of a missing path and of a missing container alike.
      if (!tar) await http.json('GET', path(name, '/json'), about(name, 'read files of'))
      return tar
    },
    async hasPath(name, source) {
      const question = about(name, 'look at files of', { path: source })
      const there = await http.ok('HEAD', path(name, '/archive'), { ...question, absent: 404 })
      if (!there) await http.json('GET', path(name, '/json'), about(name, 'look at files of'))
      return there
    },
    exec: (name, command) => startExec(http, name, command),
    execInteractive: (name, command, tty) => interactExec(http, name, command, tty),
  }
}

/** Waits until a container that is being removed is gone. */
async function gone(
  container: Engine['container'],
  name: string,
  sleep: (ms: number) => Promise<void>,
): Promise<void> {
  for (let waited = 0; waited < REMOVAL_MS; waited += 100) {
    if (!(await container(name))) return
    await sleep(100)
  }
}
