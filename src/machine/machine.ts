import type { Readable } from 'node:stream'
import type { Secret } from '../core/secret.js'

/** What a script run gives back. A non-zero exit is a result, not an exception. */
export interface RunResult {
  readonly exitCode: number
  readonly stdout: string
  readonly stderr: string
}

/** How a script is run. */
export interface RunOptions {
  /** Rejects with E_TIMEOUT after so many milliseconds and ends the remote process. Default 60000; 0 is no deadline. */
  readonly timeoutMs?: number
  readonly signal?: AbortSignal
  /** Runs as root (through sudo where needed). Default true. */
  readonly root?: boolean
  /**
   * Bytes for the script's standard input. The script itself also arrives on stdin, ahead of them, so neither shows up
   * in a process listing. The script must read exactly what it needs.
   */
  readonly stdin?: Readable | Buffer | string
  /** Called with each whole line of stdout as it arrives, for scripts that report progress. */
  readonly onLine?: (line: string) => void
  /** Values that must not appear in errors or events. */
  readonly secrets?: readonly Secret[]
  /**
   * True when running the script twice does no harm: then a connection that is lost is made again and the script is run
   * once more. Default false.
   */
  readonly idempotent?: boolean
  /** Refuses (E_COMMAND) instead of keeping more than so many bytes of stdout. Default 16 MiB. */
  readonly maxOutputBytes?: number
}

/** A file to put on a machine. */
export interface PutRequest {
  readonly path: string
  /** Opens the source. Called again when the upload is repeated after a lost connection. */
  readonly open: () => Readable
  readonly sizeBytes: number
  /** Hex sha256; the machine computes it too and the file is renamed into place only when both agree. */
  readonly sha256: string
  /** Octal, quoted: `0644`. */
  readonly mode: string
  readonly signal?: AbortSignal
  readonly onProgress?: (sentBytes: number) => void
}

/** Files for a machine as one tar archive. */
export interface UnpackRequest {
  /** Absolute; must be there, and in no mount that was made inside of the machine. */
  readonly directory: string
  readonly tar: AsyncIterable<Buffer>
  readonly signal?: AbortSignal
}

/** What a machine has cost so far; the tests count with it. */
export interface MachineStats {
  /** Channels opened: one per `run`, `put` or `unpack`. */
  readonly roundTrips: number
  /** Payload bytes sent on stdin of `put`s and of `run`s with `stdin` (not scripts), and in archives. */
  readonly bytesSent: number
}

/** What kind of machine it is. */
export type MachineKind = 'ssh' | 'openssh' | 'local' | 'docker' | 'fake'

/**
 * What a node lives on. All kinds offer the same few methods; everything else is built above them.
 * One connection per machine; methods may be called concurrently (at most 8 at once are sent).
 */
export interface Machine {
  /** Canonical and unique, such as `ssh://root@10.0.0.1:22` or `local://`. Appears in JSON output. */
  readonly id: string
  /** As the user wrote it; for messages. */
  readonly name: string
  readonly kind: MachineKind
  readonly stats: MachineStats
  /**
   * Runs a POSIX sh script. The script travels on standard input, never in argv.
   * @throws AirliftError E_SSH_UNREACHABLE, E_SSH_AUTH, E_SSH_HOST_KEY, E_SSH_LOST, E_SUDO, E_TIMEOUT, E_INTERRUPTED
   */
  run(script: string, options?: RunOptions): Promise<RunResult>
  /**
   * Uploads a file: streams into a temporary file beside the target, verifies its digest there, renames.
   * @throws AirliftError E_DIGEST_MISMATCH, E_DISK_FULL, E_READ_ONLY and what `run` throws
   */
  put(request: PutRequest): Promise<void>
  /**
   * Unpacks an archive as it comes, past the shell: a large file takes a third of the time that it takes on standard input.
   * Nothing is verified, and after a rejection a part of it may lie there. Only kinds of machine have it where it is
   * quicker: the engine of a container writes into it by itself.
   */
  unpack?(request: UnpackRequest): Promise<void>
  /** Runs a command of the user's with its own stdin, stdout and stderr (for `exec -it`); resolves with its exit code. */
  interact?(command: string, options?: { readonly tty?: boolean; readonly root?: boolean }): Promise<number>
  /** The address of the operator's end of the connection as the machine sees it, when the kind knows it. */
  close(): Promise<void>
}
