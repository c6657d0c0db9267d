import { createHash } from 'node:crypto'

/** The length-prefixed strings of SSH's wire format, from a buffer, until it ends or does not fit. */
function readStrings(data: Buffer, count: number): Buffer[] | undefined {
  const strings: Buffer[] = []
  let at = 0
  for (let i = 0; i < count; i++) {
    if (at + 4 > data.length) return undefined
    const length = data.readUInt32BE(at)
    if (at + 4 + length > data.length) return undefined
    strings.push(data.subarray(at + 4, at + 4 + length))
    at += 4 + length
  }
  return strings
}

/** The type that a public key names in its own bytes, such as `ssh-ed25519`; undefined when it is not a key. */
export function keyType(blob: Buffer): string | undefined {
  const type = readStrings(blob, 1)?.[0]?.toString('latin1')
  return type !== undefined && /^[\w@.-]{1,64}$/.test(type) ? type : undefined
}

/** A fingerprint as ssh prints it: `SHA256:` and base64 without padding. */
export function fingerprint(blob: Buffer): string {
  return `SHA256:${createHash('sha256').update(blob).digest('base64').replace(/=+$/, '')}`
}

const MAGIC = 'openssh-key-v1\0'

/**
 * The public key inside a private key file of OpenSSH's own format, which is readable without the passphrase
 * (PROTOCOL.key of OpenSSH); undefined for other formats.
 */
export function publicBlobOf(file: string): Buffer | undefined {
  const armor = /-----BEGIN OPENSSH PRIVATE KEY-----([\s\S]*?)-----END OPENSSH PRIVATE KEY-----/.exec(file)
  if (!armor?.[1]) return undefined
  const data = Buffer.from(armor[1], 'base64')
  if (data.subarray(0, MAGIC.length).toString('latin1') !== MAGIC) return undefined
  const rest = data.subarray(MAGIC.length)
  const header = readStrings(rest, 3)
  if (!header) return undefined
  const at = header.reduce((sum, each) => sum + 4 + each.length, 0) + 4
  return readStrings(rest.subarray(at), 1)?.[0]
}

/** The key of a line `type base64 comment`, as in a `.pub` file. */
export function publicBlobOfLine(line: string): Buffer | undefined {
  const [type, base64] = line.trim().split(/\s+/)
  if (!type || !base64) return undefined
  const blob = Buffer.from(base64, 'base64')
  return keyType(blob) === type ? blob : undefined
}
