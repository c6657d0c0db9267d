import type { Duplex, Readable } from 'node:stream'
import type { EngineSubject } from './engine-error.js'

/** What is asked for, beside method and path. */
export interface EngineQuestion {
  /** Parameters; objects are written as JSON, lists are repeated, undefined is left out. */
  readonly query?: Readonly<Record<string, unknown>>
  /** Sent as JSON; a stream or Buffer is sent as a tar. */
  readonly body?: unknown
  readonly file?: Readable | Buffer
  readonly headers?: Readonly<Record<string, string>>
  /** Given up with that; default: the signal of the context. */
  readonly signal?: AbortSignal
  readonly subject: Omit<EngineSubject, 'url'>
  /** HTTP statuses that are fine beside 200 to 204 and 304. A status that is missing rejects with an error of its kind. */
  readonly absent?: 404
}

/** The HTTP side of an engine, with one version of its API. Every method rejects with AirliftError. */
export interface EngineHttp {
  /** From now on that version of the API is spoken, `1.41`; before, the newest of the engine. */
  useApi(version: string): void
  /** The answer as JSON; undefined when the status is the one of `absent`, and where there is no body. */
  json(method: 'GET' | 'POST' | 'DELETE' | 'PUT', path: string, question: EngineQuestion): Promise<unknown>
  /** The answer's headers, their names in lower case. */
  headers(path: string, question: EngineQuestion): Promise<Readonly<Record<string, unknown>>>
  /** Whether the status was fine; false when it is the one of `absent`. */
  ok(method: 'HEAD', path: string, question: EngineQuestion): Promise<boolean>
  /** The answer's body as it comes; undefined when the status is the one of `absent`. */
  stream(method: 'GET' | 'POST', path: string, question: EngineQuestion): Promise<Readable | undefined>
  /** Takes the connection over: both directions, each of which can be ended alone. */
  hijack(path: string, question: EngineQuestion): Promise<Duplex>
  close(): Promise<void>
}
