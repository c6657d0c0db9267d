import type { SpecProblem } from './problems.js'
import type { RegistriesSpec } from './spec.js'

/** What {@link SpecIo.loadRegistries} gives. */
export interface LoadedRegistries {
  readonly registries: RegistriesSpec
  readonly warnings: readonly string[]
}

/** Everything that making a spec reads from this computer; tests give their own. */
export interface SpecIo {
  /** Rejects when the file cannot be read. */
  readFile(path: string): Promise<Buffer>
  /** Names of the files in a directory, sorted; undefined when the path is no directory. */
  listDirectory(path: string): Promise<readonly string[] | undefined>
  /**
   * Reads and checks a registries.yaml, or begins with an empty one; rejects with an AirliftError.
   *
   * @param options.dockerLogins - adds what docker on this computer is logged in with, where the file says nothing of a host
   */
  loadRegistries(
    path: string | undefined,
    options?: { readonly dockerLogins?: boolean },
  ): Promise<LoadedRegistries>
  /** What only containers need to know. Absent: an empty environment, and no path is checked. */
  readonly local?: LocalFacts
}

/** This computer, as the options of containers refer to it. */
export interface LocalFacts {
  readonly env: Readonly<Record<string, string | undefined>>
  /** A path from the working directory, or from the home directory where it begins with `~/`. */
  absolutePath(path: string): string
  /** Undefined where there is nothing. */
  pathKind(path: string): Promise<'file' | 'directory' | 'other' | undefined>
  /** An address of a host name; undefined where there is none. */
  lookup(name: string): Promise<string | undefined>
  /** Whether the container engine runs on this computer, so that what is mounted must exist here. */
  engineIsLocal(): Promise<boolean>
}

/** Reads a file that a flag names; adds a problem and gives undefined when it cannot. */
export async function readForFlag(
  io: Pick<SpecIo, 'readFile'>,
  flag: string,
  path: string,
  problems: SpecProblem[],
): Promise<Buffer | undefined> {
  try {
    return await io.readFile(path)
  } catch (error) {
    problems.push({
      code: 'E_LOCAL_FILE',
      path: flag,
      message: `cannot read "${path}": ${reasonOf(error)}`,
      hint: 'name a file on this computer that you may read',
    })
    return undefined
  }
}

/** The reason that the system gave, as a person says it. */
export function reasonOf(error: unknown): string {
  const code = (error as NodeJS.ErrnoException | undefined)?.code
  const known: Record<string, string> = {
    ENOENT: 'no such file',
    EACCES: 'permission denied',
    EISDIR: 'it is a directory',
    ENOTDIR: 'a part of its path is no directory',
  }
  return (code && known[code]) ?? (error instanceof Error ? error.message : String(error))
}
