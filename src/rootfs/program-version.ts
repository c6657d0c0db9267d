import { spawn } from 'node:child_process'
import { createReadStream } from 'node:fs'
import { chmod, copyFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { AirliftError } from '../core/errors.js'
import { archOfNode } from './arch-of.js'
import { readStart } from './decompress.js'
import { isLoadable, programKind } from './elf.js'
import { k3sVersion } from './release.js'

/** How long a program may take to say its version: k3s takes a tenth of a second. */
const TELL_MS = 5_000
/** What `k3s --version` prints first. */
const TOLD = /\bk3s version (v\d+\.\d+\.\d+\S*)/
/** A release in the data of a program, with its end; modules that it is built of write theirs with a minus. */
const RELEASE = /v1\.\d{1,3}\.\d{1,3}(?:-(?:rc|alpha|beta)[0-9.]{1,8})?\+k3s\d{1,3}(?![0-9A-Za-z.+-])/g
/** A release that lies over the edge of two chunks is seen whole in what is kept of the first. */
const OVERLAP = 64

/**
 * Refuses a program that is of another release than its bundle would be named after: airlift decides by that name what the
 * machines need, and a second run would find another release on them. What tells no version is taken.
 * @throws AirliftError E_USAGE naming both releases
 */
export async function checkProgramVersion(
  path: string,
  version: string,
  options: { readonly tempDir: string; readonly signal: AbortSignal },
): Promise<void> {
  const found = await programVersion(path, options)
  if (found === undefined || found === version) return
  throw new AirliftError('E_USAGE', `${path} is k3s ${found}, and --version is ${version}`, {
    hint: isRelease(found)
      ? `use --version ${found}, or give the program of ${version}`
      : `give the program of the release ${version}`,
    data: { found, version },
  })
}

function isRelease(text: string): boolean {
  try {
    return k3sVersion(text) === text
  } catch {
    return false
  }
}

/**
 * The release that a k3s says it is, where this computer can run it; else the one release that it names. Undefined where
 * neither tells.
 */
async function programVersion(
  path: string,
  { tempDir, signal }: { readonly tempDir: string; readonly signal: AbortSignal },
): Promise<string | undefined> {
  const head = await readStart(path, 64)
  const kind = programKind(head)
  const runs =
    kind.kind === 'script' || (kind.kind === 'elf' && kind.arch === archOfNode() && isLoadable(head))
  if (runs && process.platform === 'linux') {
    // What was downloaded may not be executable, and is not ours to change.
    const copy = join(tempDir, 'program')
    try {
      await copyFile(path, copy)
      await chmod(copy, 0o700)
      const told = await askVersion(copy, tempDir, signal)
      if (told !== undefined) return told
    } catch {
      // Nothing is known then, as for any other program that does not tell.
    } finally {
      await rm(copy, { force: true })
    }
    signal.throwIfAborted()
  }
  return kind.kind === 'elf' ? namedRelease(path, signal) : undefined
}

/** Runs `PROGRAM --version`; its exit says nothing, and it may hang: it and what it started are ended in any case. */
function askVersion(program: string, cwd: string, signal: AbortSignal): Promise<string | undefined> {
  return new Promise((resolve) => {
    const env = { PATH: process.env.PATH, HOME: cwd }
    const child = spawn(program, ['--version'], {
      cwd,
      env,
      stdio: ['ignore', 'pipe', 'ignore'],
      detached: true,
    })
    let output = ''
    const settle = (): void => {
      clearTimeout(timer)
      signal.removeEventListener('abort', settle)
      child.stdout.destroy()
      try {
        if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL')
      } catch {
        // It has ended.
      }
      resolve(TOLD.exec(output)?.[1])
    }
    const timer = setTimeout(settle, TELL_MS)
    signal.addEventListener('abort', settle)
    child.stdout.on('data', (chunk: Buffer) => {
      output += chunk.toString('latin1')
      // The line is whole when the next one begins; nobody needs more than that.
      if (/\bk3s version \S+\s/.test(output) || output.length > 4096) settle()
    })
    child.on('error', settle)
    child.on('close', settle)
  })
}

/** The release that a program names in its data; undefined where it names none or several. */
async function namedRelease(path: string, signal: AbortSignal): Promise<string | undefined> {
  const found = new Set<string>()
  let rest = ''
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) {
    signal.throwIfAborted()
    const text = rest + (chunk as Buffer).toString('latin1')
    const edge = text.length - OVERLAP
    for (const match of text.matchAll(RELEASE)) {
      // What begins beyond the edge may go on in the next chunk, and is seen there.
      if (match.index < edge) found.add(match[0])
    }
    rest = text.slice(Math.max(0, edge))
  }
  for (const match of rest.matchAll(RELEASE)) found.add(match[0])
  return found.size === 1 ? [...found][0] : undefined
}
