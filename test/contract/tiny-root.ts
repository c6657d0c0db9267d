import { execFileSync } from 'node:child_process'
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { Readable } from 'node:stream'

/** A root file system of a few MB as a tar: busybox of this computer, with its applets in one directory. */
export function tinyRoot(applets: '/bin' | '/bin/aux'): Readable {
  const dir = mkdtempSync(join(tmpdir(), 'tiny-root-'))
  try {
    const busybox = execFileSync('sh', ['-c', 'command -v busybox'], { encoding: 'utf8' }).trim()
    const add = (from: string, to: string): void => {
      mkdirSync(dirname(join(dir, to)), { recursive: true })
      copyFileSync(from, join(dir, to))
    }
    for (const path of ['dev', 'etc', 'proc', 'root', 'sys', 'tmp', 'var']) mkdirSync(join(dir, path))
    mkdirSync(join(dir, applets), { recursive: true })
    add(busybox, `${applets}/busybox`)
    // It may be linked to the libraries of this computer.
    for (const library of libraries(busybox)) add(library, library)
    for (const name of execFileSync(busybox, ['--list'], { encoding: 'utf8' }).split('\n')) {
      if (name !== '' && name !== 'busybox') symlinkSync('busybox', join(dir, applets, name))
    }
    writeFileSync(join(dir, 'etc', 'passwd'), 'root:x:0:0:root:/root:/bin/sh\n')
    return Readable.from([execFileSync('tar', ['-C', dir, '-cf', '-', '.'], { maxBuffer: 64 << 20 })])
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
}

function libraries(program: string): string[] {
  try {
    const text = execFileSync('ldd', [program], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
    return [...text.matchAll(/(\/\S+) \(0x/g)].map(([, path]) => path ?? '')
  } catch {
    // ldd refuses what is linked statically.
    return []
  }
}
