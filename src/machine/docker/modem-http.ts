import { Agent as HttpAgent, type IncomingMessage } from 'node:http'
import { Duplex, Readable } from 'node:stream'
import { finished } from 'node:stream/promises'
import { inspect } from 'node:util'
import { AirliftError } from '../../core/errors.js'
import type { EngineSubject } from './engine-error.js'
import { engineError, engineInterrupted } from './engine-error.js'
import type { EngineHttp, EngineQuestion } from './engine-http.js'

/** Where an engine listens, as a socket knows it. */
export type EngineAddress =
  | { readonly socketPath: string }
  | { readonly host: string; readonly port: number; readonly tls?: EngineTls }

/** TLS of a TCP endpoint; the texts of PEM files. */
export interface EngineTls {
  readonly ca?: Buffer
  readonly cert?: Buffer
  readonly key?: Buffer
  readonly verify: boolean
}

/** What {@link createModemHttp} needs. */
export interface ModemHttpParts {
  readonly address: EngineAddress
  /** For messages. */
  readonly url: string
  readonly signal: AbortSignal
  /** Why the way to the engine broke, where more is known than the socket tells. */
  readonly explain?: () => string | undefined
}

/** The parts of dockerode's modem that are used; its own types know none of them. */
interface Modem {
  dial(options: Record<string, unknown>, done: (error: ModemError | null, data: unknown) => void): void
}

interface ModemError extends Error {
  readonly statusCode?: number
  readonly json?: unknown
  readonly code?: string
}

/** What {@link inspect} writes as a word. */
const unwritten = { [inspect.custom]: () => '…' }

const FINE = { 101: true, 200: true, 201: true, 202: true, 204: true, 304: true }

/**
 * Speaks HTTP with an engine through dockerode's modem, over connections that are kept alive. dockerode's own methods are
 * passed by: they hide the status, buffer streams whole, and parse a log as JSON where it happens to be some.
 */
export async function createModemHttp(parts: ModemHttpParts): Promise<EngineHttp> {
  const { address, url } = parts
  const { default: Docker } = await import('dockerode')
  const tls = 'host' in address ? address.tls : undefined
  const options = { keepAlive: true, scheduling: 'lifo', maxFreeSockets: 8 } as const
  const agent = tls
    ? new (await import('node:https')).Agent({
        ...options,
        rejectUnauthorized: tls.verify,
        ...(tls.ca ? { ca: tls.ca } : {}),
        ...(tls.cert ? { cert: tls.cert } : {}),
        ...(tls.key ? { key: tls.key } : {}),
      })
    : // Without this it is found out whether the socket's name is an address of IPv6, which takes longer than an answer.
      new HttpAgent({ ...options, ...({ servername: '' } as object) })
  // The modem writes out all that a request is made of, for a log that nobody reads, sockets and their buffers included.
  Object.assign(agent, unwritten)
  const modem = new Docker({
    // The modem reads DOCKER_HOST itself and would prefer it to what is not named here.
    ...('socketPath' in address
      ? { socketPath: address.socketPath, host: undefined, port: undefined }
      : { host: hostUrl(address.host, tls !== undefined), port: address.port, socketPath: undefined }),
    protocol: tls ? 'https' : 'http',
    pathPrefix: '/',
    key: undefined,
    cert: undefined,
    ca: undefined,
    timeout: undefined,
    agent,
  } as never).modem as unknown as Modem

  let prefix = ''
  const dial = (
    method: string,
    path: string,
    question: EngineQuestion,
    extra: Record<string, unknown>,
  ): Promise<unknown> => {
    const subject: EngineSubject = { ...question.subject, url }
    const given = question.signal ?? parts.signal
    if (given.aborted) return Promise.reject(engineInterrupted(subject, given.reason))
    const query = Object.entries(question.query ?? {}).filter(([, value]) => value !== undefined)
    return new Promise((resolve, reject) => {
      const done = (error: ModemError | null, data: unknown): void => {
        if (!error) resolve(data)
        else if (error.statusCode === 404 && question.absent === 404) resolve(undefined)
        else reject(toError(error, subject, given, parts.explain))
      }
      modem.dial(
        {
          path: `${prefix}${path}?`,
          method,
          options: { _query: Object.fromEntries(query), _body: question.body ?? {} },
          headers: { ...question.headers },
          statusCodes: FINE,
          // A signal of its own: one of a whole command would gather a listener for each call.
          abortSignal: Object.assign(AbortSignal.any([given]), unwritten),
          ...(question.file === undefined ? {} : { file: question.file }),
          ...extra,
        },
        done,
      )
    })
  }

  return {
    useApi(version) {
      prefix = `/v${version}`
    },
    async json(method, path, question) {
      const data = await dial(method, path, question, {})
      return Buffer.isBuffer(data) ? undefined : data
    },
    async headers(path, question) {
      const data = (await dial('GET', path, question, { isStream: true })) as IncomingMessage
      // Read to its end, so that the connection is free for the next question.
      await finished(data.resume())
      return data.headers
    },
    async ok(method, path, question) {
      return (await dial(method, path, question, {})) !== undefined
    },
    async stream(method, path, question) {
      const data = await dial(method, path, question, { isStream: true })
      return data instanceof Readable ? data : undefined
    },
    async hijack(path, question) {
      const data = await dial('POST', path, question, { isStream: true, hijack: true })
      if (data instanceof Duplex) return data
      if (data instanceof Readable) data.destroy()
      throw new AirliftError('E_ENGINE', `the engine at ${url} does not give the connection to a command`, {
        machine: url,
        hint: 'a proxy between must let "Upgrade: tcp" pass; Podman does so from version 4 on',
      })
    },
    async close() {
      agent.destroy()
    },
  }
}

function hostUrl(host: string, tls: boolean): string {
  return `${tls ? 'https' : 'http'}://${host.includes(':') ? `[${host}]` : host}`
}

/** What the engine itself said. */
function said(error: ModemError): string {
  const answer = error.json as
    | { readonly message?: unknown; readonly cause?: unknown }
    | string
    | Buffer
    | null
  if (answer && typeof answer === 'object' && 'message' in answer && typeof answer.message === 'string') {
    return answer.message.trim()
  }
  if (error.statusCode === undefined) return error.message
  return error.message.replace(/^\(HTTP code \d+\) .*? - /, '').trim()
}

function toError(
  error: ModemError,
  subject: EngineSubject,
  signal: AbortSignal,
  explain: (() => string | undefined) | undefined,
): AirliftError {
  if (signal.aborted && signal.reason?.name !== 'TimeoutError')
    return engineInterrupted(subject, signal.reason)
  if (error.name === 'AbortError' || error.name === 'TimeoutError') {
    return engineError({ text: 'no answer in time', errno: 'ETIMEDOUT', cause: error }, subject)
  }
  const why = error.statusCode === undefined ? explain?.() : undefined
  return engineError(
    {
      text: why ?? said(error),
      cause: error,
      ...(error.statusCode === undefined ? {} : { status: error.statusCode }),
      ...(error.code === undefined ? {} : { errno: error.code }),
    },
    subject,
  )
}
