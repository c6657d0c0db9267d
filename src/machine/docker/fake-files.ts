import { posix } from 'node:path'
import { Readable } from 'node:stream'
import { finished } from 'node:stream/promises'
import { Header, Parser } from 'tar'

/** A member of a fake file system. */
export interface FakeFile {
  readonly kind: 'file' | 'directory' | 'link'
  /** Octal, `0644`. */
  readonly mode: string
  /** Empty unless it is a file. */
  readonly content: Buffer
  /** Target of a symbolic link. */
  readonly link?: string
}

/** Reads a tar into files by their absolute path, in the order of the tar. @throws Error when it is no tar */
export async function readTar(tar: Readable | Buffer, below: string): Promise<Map<string, FakeFile>> {
  const files = new Map<string, FakeFile>()
  const source = Buffer.isBuffer(tar) ? Readable.from(tar.length > 0 ? [tar] : []) : tar
  const parser = new Parser({
    strict: true,
    onReadEntry: (entry) => {
      const path = posix.join('/', below, entry.path).replace(/(.)\/$/, '$1')
      const mode = `0${((entry.mode ?? 0o644) & 0o7777).toString(8).padStart(3, '0')}`
      const chunks: Buffer[] = []
      entry.on('data', (chunk: Buffer) => chunks.push(chunk))
      entry.on('end', () => {
        const content = Buffer.concat(chunks)
        if (entry.type === 'Directory') files.set(path, { kind: 'directory', mode, content })
        else if (entry.type === 'SymbolicLink')
          files.set(path, { kind: 'link', mode, content, link: entry.linkpath ?? '' })
        else files.set(path, { kind: 'file', mode, content })
      })
    },
  })
  const ended = new Promise<void>((resolve, reject) => {
    parser.on('end', resolve)
    parser.on('error', reject)
  })
  source.pipe(parser as unknown as NodeJS.WritableStream)
  await Promise.all([ended, finished(source, { writable: false })])
  return files
}

/** Writes files as a tar; paths are written relative to `from`, as the engine's own archives are. */
export function writeTar(files: ReadonlyMap<string, FakeFile>, from = '/'): Buffer {
  const parts: Buffer[] = []
  for (const [path, file] of files) {
    const name = posix.relative(from, path)
    if (name === '') continue
    const header = new Header({
      path: file.kind === 'directory' ? `${name}/` : name,
      mode: Number.parseInt(file.mode, 8),
      size: file.content.length,
      type: file.kind === 'directory' ? 'Directory' : file.kind === 'link' ? 'SymbolicLink' : 'File',
      uid: 0,
      gid: 0,
      mtime: new Date(0),
      ...(file.link === undefined ? {} : { linkpath: file.link }),
    })
    const block = Buffer.alloc(512)
    // A name that ustar cannot hold would silently be cut.
    if (header.encode(block)) throw new Error(`too long for the tar of a fake engine: ${name}`)
    parts.push(block, file.content, Buffer.alloc((512 - (file.content.length % 512)) % 512))
  }
  return Buffer.concat([...parts, Buffer.alloc(1024)])
}
