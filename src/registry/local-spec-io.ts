import { readdir, readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import type { SpecIo } from '../cluster/spec-io.js'
import { loadRegistries } from './registries.js'

/** Reads from this computer, with paths relative to `directory` (default: the working directory). */
export function createSpecIo(directory = process.cwd()): SpecIo {
  const io: SpecIo = {
    readFile: (path) => readFile(resolve(directory, path)),
    async listDirectory(path) {
      try {
        return (await readdir(resolve(directory, path))).sort()
      } catch {
        // No directory, or none that can be listed: reading it as a file gives the error with its reason.
        return undefined
      }
    },
    loadRegistries: (path) => loadRegistries(path, io),
  }
  return io
}
