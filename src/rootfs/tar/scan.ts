import type { FileHandle } from 'node:fs/promises'
import { BLOCK, padding, parseHeader } from './header.js'

/** Where a member's content is. */
export interface TarMember {
  /** Without a leading `./`. */
  readonly name: string
  readonly offset: number
  readonly size: number
  /** The name that a hard or symbolic link points to. */
  readonly link?: { readonly to: string; readonly symbolic: boolean }
}

/** What a scan found. */
export interface TarScan {
  readonly members: ReadonlyMap<string, TarMember>
  /** Why the archive ends before its end; undefined when it is whole. */
  readonly cut?: string
  /** Where the end mark begins; undefined where there is none. */
  readonly end?: number
}

/** Longest pax or long-name record that is read into memory. */
const MAX_RECORD = 1 << 20

/**
 * Lists the members of a tar by reading headers and seeking over contents, so several gigabytes take milliseconds.
 * Reads ustar, pax and GNU long names. A member that was cut off is not listed; `cut` says so.
 */
export async function scanTar(file: FileHandle, fileSize: number): Promise<TarScan> {
  const members = new Map<string, TarMember>()
  const block = Buffer.alloc(BLOCK)
  let position = 0
  let next: { name?: string; link?: string; size?: number } = {}
  for (;;) {
    const { bytesRead } = await file.read(block, 0, BLOCK, position)
    if (bytesRead < BLOCK) return { members, cut: `it ends after ${fileSize} bytes, without an end mark` }
    const header = parseHeader(block)
    if (header === 'end') return { members, end: position }
    if (!header) return { members, cut: `byte ${position} is not the header of a member` }
    const size = next.size ?? header.size
    const offset = position + BLOCK
    const isFile = /^[0147]$/.test(header.type)
    const name = cleanName(next.name ?? header.name)
    if (offset + size > fileSize)
      return { members, cut: `${name} ends at byte ${offset + size}, the file at ${fileSize}` }
    if (/^[xgLK]$/.test(header.type)) {
      if (size > MAX_RECORD) return { members, cut: `the record at byte ${position} is too long` }
      const record = Buffer.alloc(size)
      await file.read(record, 0, size, offset)
      if (header.type !== 'g') next = { ...next, ...readRecord(header.type, record) }
    } else {
      const linkTo = header.type === '1' || header.type === '2' ? (next.link ?? header.linkName) : undefined
      if (isFile || linkTo !== undefined) {
        members.set(name, {
          name,
          offset,
          size: linkTo === undefined ? size : 0,
          ...(linkTo === undefined ? {} : { link: { to: linkTo, symbolic: header.type === '2' } }),
        })
      }
      next = {}
    }
    const content = header.type === '1' || header.type === '2' || header.type === '5' ? 0 : size
    position = offset + content + padding(content)
  }
}

/** The record before a member: its long name, link or size. */
export function readRecord(type: string, record: Buffer): { name?: string; link?: string; size?: number } {
  const plain = (): string => record.toString('utf8').replace(/\0+$/, '')
  if (type === 'L') return { name: plain() }
  if (type === 'K') return { link: plain() }
  const found: { name?: string; link?: string; size?: number } = {}
  let position = 0
  while (position < record.length) {
    const space = record.indexOf(0x20, position)
    const length = Number(record.subarray(position, space).toString())
    if (space < 0 || !(length > 0)) break
    const entry = record.subarray(space + 1, position + length - 1).toString('utf8')
    const equals = entry.indexOf('=')
    const [key, value] = [entry.slice(0, equals), entry.slice(equals + 1)]
    if (key === 'path') found.name = value
    else if (key === 'linkpath') found.link = value
    else if (key === 'size') found.size = Number(value)
    position += length
  }
  return found
}

function cleanName(name: string): string {
  return name.replace(/^(\.?\/)+/, '').replace(/\/+$/, '')
}

/** Follows links to the member that holds the content; undefined when there is none. */
export function resolveMember(members: ReadonlyMap<string, TarMember>, name: string): TarMember | undefined {
  let member = members.get(cleanName(name))
  for (let hops = 0; member?.link && hops < 8; hops++) {
    const { to, symbolic } = member.link
    const base = symbolic && !to.startsWith('/') ? member.name.split('/').slice(0, -1) : []
    for (const part of to.split('/')) {
      if (part === '..') base.pop()
      else if (part !== '' && part !== '.') base.push(part)
    }
    member = members.get(base.join('/'))
  }
  return member?.link ? undefined : member
}
