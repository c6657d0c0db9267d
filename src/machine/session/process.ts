import type { Readable, Writable } from 'node:stream'

/** How a process on a machine ended. `lost` means that the way to it broke before it said so. */
export type ProcessExit =
  | { readonly kind: 'code'; readonly code: number }
  | { readonly kind: 'signal'; readonly signal: string }
  | { readonly kind: 'lost'; readonly reason: string }

/** A process on a machine with its three streams: the one thing that every kind of machine offers in its own way. */
export interface MachineProcess {
  readonly stdin: Writable
  readonly stdout: Readable
  readonly stderr: Readable
  /** Resolves when the process has ended and its output has been read; never rejects. */
  readonly exit: Promise<ProcessExit>
  /** Drops the process from this end: signals it where the way allows that, and closes the streams. */
  drop(): void
}

/** Starts processes on one machine. */
export interface Transport {
  /**
   * Starts a command line under the login shell of the user. Makes the connection anew when it was lost.
   * @throws AirliftError E_SSH_UNREACHABLE, E_SSH_LOST, E_SSH_AUTH, E_SSH_HOST_KEY
   */
  start(command: string): Promise<MachineProcess>
  /** Runs a command with this process' own stdin, stdout and stderr; resolves with its exit code. */
  interact(command: string, tty: boolean): Promise<number>
  /** Unpacks a tar below a directory, where there is a quicker way than through a process. Ends when the stream breaks. */
  unpack?(directory: string, tar: Readable): Promise<void>
  close(): Promise<void>
}
