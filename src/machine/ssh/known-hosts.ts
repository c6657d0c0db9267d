import { createHmac, randomBytes } from 'node:crypto'
import { publicBlobOfLine } from './key-blob.js'

/** One usable line of a known_hosts file. */
export interface KnownHostsEntry {
  readonly marker: 'cert-authority' | 'revoked' | undefined
  /** The first field as written: patterns, or one hash. */
  readonly patterns: string
  readonly type: string
  readonly blob: Buffer
  readonly file: string
  /** From 1. */
  readonly line: number
}

/** What a file says about a host's key. */
export type Verdict =
  | { readonly kind: 'match' }
  | { readonly kind: 'unknown' }
  | { readonly kind: 'changed'; readonly entry: KnownHostsEntry }
  | { readonly kind: 'revoked'; readonly entry: KnownHostsEntry }

/**
 * Reads a known_hosts file (sshd(8), "SSH_KNOWN_HOSTS FILE FORMAT"). Lines that are comments, empty, of the old
 * protocol or damaged are passed over, as ssh does.
 */
export function parseKnownHosts(text: string, file: string): readonly KnownHostsEntry[] {
  const entries: KnownHostsEntry[] = []
  text.split('\n').forEach((raw, index) => {
    const fields = raw.trim().split(/[ \t]+/)
    const first = fields[0] ?? ''
    if (first === '' || first.startsWith('#')) return
    let marker: KnownHostsEntry['marker']
    if (first.startsWith('@')) {
      if (first !== '@cert-authority' && first !== '@revoked') return
      marker = first === '@revoked' ? 'revoked' : 'cert-authority'
      fields.shift()
    }
    const [patterns, type, base64] = fields
    if (!patterns || !type || !base64) return
    const blob = publicBlobOfLine(`${type} ${base64}`)
    if (blob) entries.push({ marker, patterns, type, blob, file, line: index + 1 })
  })
  return entries
}

/** The name under which a host is kept: `host`, or `[host]:port` when the port is not 22. */
export function hostKeyName(host: string, port: number): string {
  const name = host.toLowerCase()
  return port === 22 ? name : `[${name}]:${port}`
}

/** Whether an entry is about the host of that name. */
export function entryMatches(entry: KnownHostsEntry, name: string): boolean {
  if (entry.patterns.startsWith('|')) return hashMatches(entry.patterns, name)
  let matched = false
  for (const pattern of entry.patterns.split(',')) {
    const negated = pattern.startsWith('!')
    if (!wildcardMatches((negated ? pattern.slice(1) : pattern).toLowerCase(), name.toLowerCase())) continue
    if (negated) return false
    matched = true
  }
  return matched
}

/** Hash of a name in the form that HashKnownHosts writes: `|1|salt|hmac-sha1`. */
export function hashHostName(name: string, salt: Buffer = randomBytes(20)): string {
  const digest = createHmac('sha1', salt).update(name).digest('base64')
  return `|1|${salt.toString('base64')}|${digest}`
}

function hashMatches(field: string, name: string): boolean {
  const [, version, salt] = field.split('|')
  if (version !== '1' || !salt) return false
  return hashHostName(name, Buffer.from(salt, 'base64')) === field
}

/** ssh's patterns: `*` is any text, `?` any one character. Linear: a `*` is gone back to, never nested. */
export function wildcardMatches(pattern: string, text: string): boolean {
  let p = 0
  let t = 0
  let star = -1
  let mark = 0
  while (t < text.length) {
    if (pattern[p] === '*') {
      star = p++
      mark = t
    } else if (p < pattern.length && (pattern[p] === '?' || pattern[p] === text[t])) {
      p++
      t++
    } else if (star >= 0) {
      p = star + 1
      t = ++mark
    } else {
      return false
    }
  }
  while (pattern[p] === '*') p++
  return p === pattern.length
}

/** Judges a key. A revoked one is never good; a known key of another type does not make this one changed unless no entry has its type. */
export function judgeKey(
  entries: readonly KnownHostsEntry[],
  names: readonly string[],
  blob: Buffer,
): Verdict {
  const mine = entries.filter((entry) => names.some((name) => entryMatches(entry, name)))
  const revoked = mine.find((entry) => entry.marker === 'revoked' && entry.blob.equals(blob))
  if (revoked) return { kind: 'revoked', entry: revoked }
  const plain = mine.filter((entry) => entry.marker === undefined)
  if (plain.some((entry) => entry.blob.equals(blob))) return { kind: 'match' }
  const other = plain[0]
  return other ? { kind: 'changed', entry: other } : { kind: 'unknown' }
}

/** The key types that are known for a host, and whether a certificate authority is. */
export function knownFor(
  entries: readonly KnownHostsEntry[],
  names: readonly string[],
): { readonly types: readonly string[]; readonly authority: boolean } {
  const mine = entries.filter((entry) => names.some((name) => entryMatches(entry, name)))
  const types = mine.filter((entry) => entry.marker === undefined).map((entry) => entry.type)
  return { types: [...new Set(types)], authority: mine.some((entry) => entry.marker === 'cert-authority') }
}

/** Host key algorithms of ssh2, in ssh's order of preference. */
const ALGORITHMS: readonly (readonly [algorithm: string, type: string])[] = [
  ['ssh-ed25519', 'ssh-ed25519'],
  ['ecdsa-sha2-nistp256', 'ecdsa-sha2-nistp256'],
  ['ecdsa-sha2-nistp384', 'ecdsa-sha2-nistp384'],
  ['ecdsa-sha2-nistp521', 'ecdsa-sha2-nistp521'],
  ['rsa-sha2-512', 'ssh-rsa'],
  ['rsa-sha2-256', 'ssh-rsa'],
]

/**
 * The algorithms to ask a server for, those of known keys first: a server with several keys must show the one that is
 * known, or a good host looks as if its key had changed. `ssh-rsa` (SHA-1) is asked for only where such a key is all that is known.
 */
export function orderAlgorithms(knownTypes: readonly string[]): readonly string[] {
  const known = ALGORITHMS.filter(([, type]) => knownTypes.includes(type))
  const rest = ALGORITHMS.filter(([, type]) => !knownTypes.includes(type))
  const ordered = [...known, ...rest].map(([algorithm]) => algorithm)
  return knownTypes.length === 1 && knownTypes[0] === 'ssh-rsa' ? [...ordered, 'ssh-rsa'] : ordered
}
