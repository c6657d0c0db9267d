import { Header, Pax } from 'tar'
import type { ContainerEntry } from '../../plan/engine-action.js'
import { padding, TAR_END } from './header.js'

/** What the header of a member says. */
export interface MemberHeader {
  /** Without a leading slash. */
  readonly path: string
  /** Octal, `0644`. */
  readonly mode: string
  readonly type: 'File' | 'Directory' | 'SymbolicLink'
  readonly size: number
  readonly linkpath?: string
}

/** The header of a member that belongs to root, with a record before it where its names are long. */
export function memberHeader(member: MemberHeader): Buffer {
  const fields = {
    ...member,
    mode: Number.parseInt(member.mode, 8),
    uid: 0,
    gid: 0,
    mtime: new Date(0),
  }
  const header = new Header(fields)
  const block = Buffer.alloc(512)
  const long = header.encode(block, 0)
  const record = long ? new Pax({ path: member.path, ...linkOf(member) }).encode() : Buffer.alloc(0)
  return Buffer.concat([record, block])
}

function linkOf({ linkpath }: MemberHeader): { linkpath?: string } {
  return linkpath === undefined ? {} : { linkpath }
}

/** One archive of all that goes into a container before it starts. */
export function packEntries(entries: readonly ContainerEntry[], fill: (text: string) => string): Buffer {
  const parts: Buffer[] = []
  for (const entry of entries) {
    const path = entry.path.replace(/^\/+/, '')
    if ('link' in entry) {
      parts.push(memberHeader({ path, mode: '0777', type: 'SymbolicLink', size: 0, linkpath: entry.link }))
    } else if ('directory' in entry) {
      parts.push(memberHeader({ path: `${path}/`, mode: entry.mode, type: 'Directory', size: 0 }))
    } else {
      const content = Buffer.from(fill(entry.content), entry.base64 ? 'base64' : 'utf8')
      parts.push(memberHeader({ path, mode: entry.mode, type: 'File', size: content.length }))
      parts.push(content, Buffer.alloc(padding(content.length)))
    }
  }
  return Buffer.concat([...parts, TAR_END])
}
