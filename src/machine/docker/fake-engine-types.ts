import type { Duplex } from 'node:stream'
import type { MachineProcess } from '../session/process.js'
import type { Engine, EngineEndpoint, EngineImage, EngineInfo } from './engine.js'
import type { FakeFile } from './fake-files.js'

/** A command that was run in a container of a fake engine. */
export interface FakeExecCall {
  readonly container: string
  readonly command: readonly string[]
  /** Reads the command's standard input to its end. */
  stdin(): Promise<Buffer>
  /** The same as a stream, for those who read it piece by piece. */
  readonly input: Duplex
}

/** What a scripted command answers: stdout, a result, a process of its own, or an error to throw at its start. */
export type FakeExecReply =
  | string
  | { readonly exitCode?: number; readonly stdout?: string | Buffer; readonly stderr?: string | Buffer }
  | MachineProcess
  | Error

/** An image of a fake engine; what is not given is plain. */
export interface FakeImage extends Partial<EngineImage> {
  /** Its root file system; by default the usual directories. */
  readonly files?: ReadonlyMap<string, FakeFile>
}

/** What a fake engine is told. */
export interface FakeEngineOptions {
  readonly endpoint?: Partial<EngineEndpoint>
  readonly info?: Partial<EngineInfo>
  /** By reference: images that are on the engine. */
  readonly images?: Readonly<Record<string, FakeImage>>
  /** By reference: images that can be pulled. */
  readonly registry?: Readonly<Record<string, FakeImage>>
  /** Networks of others, beside Docker's own bridge 172.17.0.0/16. */
  readonly networks?: readonly {
    readonly name: string
    readonly subnet: string
    /** Of a network of both families. */
    readonly subnet6?: string
    /** Made without a subnet of its own: no container can have a fixed address in it. */
    readonly automatic?: boolean
  }[]
  /** Ports that other programs of the engine's computer listen on, any protocol. */
  readonly busyPorts?: readonly number[]
  /** Paths of the engine's computer that do not exist, for bind mounts. */
  readonly missingPaths?: readonly string[]
  readonly refusesPrivileged?: boolean
  /** Answers commands; undefined fails the test, as an unexpected command does. */
  readonly exec?: (call: FakeExecCall) => FakeExecReply | undefined | Promise<FakeExecReply | undefined>
  /** Called when a container has been started; it may call `exit` or `log`. */
  readonly onStart?: (name: string, engine: FakeEngine) => void | Promise<void>
}

/** A call as it arrived; streams are left out of the arguments. */
export interface FakeEngineCall {
  readonly method: EngineMethod
  readonly args: readonly unknown[]
}

/** The methods that can be recorded and made to fail. */
export type EngineMethod = Exclude<keyof Engine, 'endpoint' | 'close'>

/** Makes calls fail before they do anything. */
export interface FakeEngineFailure {
  /** Default: any. */
  readonly method?: EngineMethod
  /** A text that the JSON of the arguments must hold. Default: any. */
  readonly match?: string
  /** An error to throw as it is, or what the engine would say, with its HTTP status, to be mapped. */
  readonly error: Error | { readonly status?: number; readonly text: string; readonly errno?: string }
  /** How many matching calls go well before. Default 0. */
  readonly skip?: number
  /** How many then fail. Default 1. */
  readonly times?: number
}

/** An engine in memory: it answers as Docker does, remembers everything, and can be broken. */
export interface FakeEngine extends Engine {
  readonly calls: readonly FakeEngineCall[]
  readonly closed: boolean
  /** Files of a container by absolute path, those of its image and its volumes among them. */
  files(name: string): ReadonlyMap<string, FakeFile>
  volumeFiles(volume: string): ReadonlyMap<string, FakeFile>
  addImage(ref: string, image?: FakeImage): void
  /** Remembers what it holds; what is given back makes it so again. Commands that run are not part of it. */
  remember(): () => void
  fail(failure: FakeEngineFailure): void
  /** The process of a container ends by itself; its restart policy does not apply. */
  exit(name: string, code: number): void
  /** Appends to the output of a container. */
  log(name: string, text: string): void
  /** Stops everything and starts again what has a restart policy, as a restart of the daemon does. */
  restartDaemon(): Promise<void>
  /** While true, every call fails with E_ENGINE_UNREACHABLE. */
  unreachable(value: boolean): void
  /** Throws when an unexpected command arrived, even if the code under test swallowed the error. Call it at the end. */
  verify(): void
}
