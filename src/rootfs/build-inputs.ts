import { createReadStream } from 'node:fs'
import { readdir, readFile, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import type { RuntimeName } from '../cluster/spec.js'
import { didYouMean } from '../core/did-you-mean.js'
import { AirliftError } from '../core/errors.js'
import { readStart } from './decompress.js'
import { digestOf, sha256 } from './digest.js'
import { programKind } from './elf.js'
import { fileReason } from './file-reason.js'
import type { Arch, FileRole, RootfsFile } from './manifest.js'
import type { SourceBlob } from './oci/source-image.js'
import { requireRegularFile } from './regular-file.js'
import { templateDir } from './templates.js'

/** A file of the rootfs with its content. */
export interface InputFile {
  readonly file: RootfsFile
  readonly blob: SourceBlob
}

/** Reads a file of the user's as a blob. @throws AirliftError E_LOCAL_FILE */
export async function readInput(
  path: string,
  target: { readonly path: string; readonly mode: string; readonly role: FileRole; readonly arch?: Arch },
): Promise<InputFile> {
  try {
    const chunks = (): AsyncIterable<Buffer> => createReadStream(path, { highWaterMark: 1 << 20 })
    const { sha256: hex, size } = await digestOf(chunks())
    return { file: { ...target, sha256: hex, size }, blob: { size, chunks } }
  } catch (cause) {
    throw new AirliftError('E_LOCAL_FILE', `cannot read ${path}: ${fileReason(cause)}`, {
      cause,
      hint: 'name a file that exists',
    })
  }
}

/** A program and the architectures that it is for; a script is for all. */
export interface ProgramInput {
  readonly path: string
  /** Absent: a script. */
  readonly arch?: Arch
}

/**
 * Looks at programs that the user named and tells by their ELF headers what they are for.
 * @throws AirliftError E_LOCAL_FILE for what is no program, or one of a machine that airlift does not know
 */
export async function inspectPrograms(paths: readonly string[], flag: string): Promise<ProgramInput[]> {
  const programs: ProgramInput[] = []
  for (const path of paths) {
    const info = await stat(path).catch((cause: unknown) => {
      throw new AirliftError('E_LOCAL_FILE', `cannot read ${path}: ${fileReason(cause)}`, {
        cause,
        hint: `name an existing file with ${flag}`,
      })
    })
    const kind = info.isFile() ? programKind(await readStart(path, 64)) : { kind: 'other' as const }
    if (kind.kind === 'other') {
      throw new AirliftError(
        'E_LOCAL_FILE',
        `${path} is not a Linux program: it has no ELF header and is no script`,
        {
          hint: `give the program itself with ${flag}, not an archive or a page`,
        },
      )
    }
    if (kind.kind === 'elf' && !kind.arch) {
      throw new AirliftError('E_LOCAL_FILE', `${path} is a program for ${kind.machine}`, {
        hint: 'give a program for amd64, arm64 or arm (32-bit x86 is not supported)',
      })
    }
    const arch = kind.kind === 'elf' ? kind.arch : undefined
    const twice = programs.find((other) => other.arch === arch)
    if (twice) {
      throw new AirliftError(
        'E_LOCAL_FILE',
        `${twice.path} and ${path} are both for ${arch ?? 'every architecture'}`,
        {
          hint: `give ${flag} once for each architecture`,
        },
      )
    }
    programs.push({ path, ...(arch ? { arch } : {}) })
  }
  return programs
}

/** The program for an architecture, among those that the user named. */
export function programFor(programs: readonly ProgramInput[], arch: Arch): string | undefined {
  return (programs.find((program) => program.arch === arch) ?? programs.find((program) => !program.arch))
    ?.path
}

/** Refuses a program for an architecture that the bundle is not built for. @throws AirliftError E_LOCAL_FILE */
export function checkArchs(programs: readonly ProgramInput[], archs: readonly Arch[], flag: string): void {
  for (const { path, arch } of programs) {
    if (arch === undefined || archs.includes(arch)) continue
    throw new AirliftError(
      'E_LOCAL_FILE',
      `${path} is a program for ${arch}, and the bundle is for ${archs.join(', ')}`,
      {
        hint: `add --arch ${arch}, or give the ${flag} for ${archs.join(', ')}`,
      },
    )
  }
}

/**
 * All templates: the packaged ones, and those of the user's directory over them. A name that no packaged one has would never
 * be read on a machine. Names that begin with a dot are of editors and file managers.
 * @throws AirliftError E_LOCAL_FILE
 */
export async function readTemplates(runtime: RuntimeName, own: string | undefined): Promise<InputFile[]> {
  const packaged = templateDir(runtime)
  const found = new Map((await namesIn(packaged)).map((name) => [name, join(packaged, name)]))
  const known = [...found.keys()].sort()
  for (const name of own === undefined ? [] : await namesIn(own)) {
    if (name.startsWith('.')) continue
    const path = join(own ?? '', name)
    if (!found.has(name)) throw noTemplate(path, name, known)
    const info = await stat(path).catch((cause: unknown) => {
      throw new AirliftError('E_LOCAL_FILE', `cannot read ${path}: ${fileReason(cause)}`, { cause })
    })
    requireRegularFile(info, path)
    if (info.size === 0) {
      throw new AirliftError('E_LOCAL_FILE', `the template ${path} is empty`, {
        hint: `write it, or remove it to keep the packaged ${name}`,
      })
    }
    found.set(name, path)
  }
  const files: InputFile[] = []
  for (const [name, path] of [...found].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const bytes = await readFile(path)
    // A checkout on Windows would bring line ends that no shell can read; the mode comes from the name, not from the disk.
    const text = Buffer.from(bytes.toString('utf8').replaceAll('\r\n', '\n'))
    const blob: SourceBlob = {
      size: text.length,
      chunks: async function* () {
        yield text
      },
    }
    files.push({
      file: {
        path: `templates/${basename(name)}`,
        sha256: sha256(text),
        size: text.length,
        mode: name.endsWith('.sh') ? '0755' : '0644',
        role: 'template',
      },
      blob,
    })
  }
  return files
}

async function namesIn(dir: string): Promise<string[]> {
  return readdir(dir).catch((cause: unknown) => {
    throw new AirliftError('E_LOCAL_FILE', `cannot read the templates in ${dir}: ${fileReason(cause)}`, {
      cause,
      hint: 'name a directory with --template',
    })
  })
}

function noTemplate(path: string, name: string, known: readonly string[]): AirliftError {
  const meant = didYouMean(name, known)
  return new AirliftError('E_LOCAL_FILE', `${path} replaces no template: none is called "${name}"`, {
    hint:
      meant === undefined
        ? `there are ${known.join(', ')}`
        : `did you mean ${meant}? There are ${known.join(', ')}`,
  })
}

/** Refuses an output that is one of the inputs, by whatever name: the build would replace it. @throws AirliftError E_USAGE */
export async function refuseOverwriting(
  output: string,
  inputs: readonly string[],
  flag: string,
): Promise<void> {
  const target = await stat(output).catch(() => undefined)
  if (!target) return
  for (const path of inputs) {
    const info = await stat(path).catch(() => undefined)
    if (info?.dev !== target.dev || info.ino !== target.ino) continue
    throw new AirliftError(
      'E_USAGE',
      `--output ${output} is a file that the bundle is built from (${flag} ${path})`,
      {
        hint: 'give the bundle another name with --output',
      },
    )
  }
}
