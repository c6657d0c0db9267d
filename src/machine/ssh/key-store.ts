import { readFile, stat } from 'node:fs/promises'
import type { ParsedKey } from 'ssh2'
import ssh2 from 'ssh2'
import { AirliftError } from '../../core/errors.js'
import { keyType, publicBlobOf, publicBlobOfLine } from './key-blob.js'
import type { SecretSource } from './secret-source.js'

/** A private key file, or why it cannot be offered. */
export interface KeyFile {
  readonly file: string
  /** Its public part, known without the passphrase; undefined when the file cannot be used. */
  readonly blob: Buffer | undefined
  readonly type: string | undefined
  /** Why it is not offered: `not found`, `permissions 0644 are too open`, … */
  readonly problem: string | undefined
  /** Decrypts it, asking for the passphrase where there is one. @throws AirliftError E_SSH_AUTH */
  open(): Promise<ParsedKey>
}

/** Reads and decrypts each key file once, however many machines use it. */
export interface KeyStore {
  load(file: string): Promise<KeyFile>
}

/** Makes the store of one operation. */
export function createKeyStore(secrets: SecretSource): KeyStore {
  const files = new Map<string, Promise<KeyFile>>()
  return {
    load(file) {
      const had = files.get(file) ?? loadKey(file, secrets)
      files.set(file, had)
      return had
    },
  }
}

async function loadKey(file: string, secrets: SecretSource): Promise<KeyFile> {
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => error)
  if (typeof text !== 'string')
    return unusable(file, text.code === 'ENOENT' ? 'not found' : `not readable (${text.code})`)
  // ssh offers the key of a .pub file when the agent holds the private part.
  const line = publicBlobOfLine(text)
  if (line) return { ...unusable(file, undefined), blob: line, type: keyType(line) }
  const open = tooOpen(await stat(file))
  if (open !== undefined) return unusable(file, `permissions ${open} are too open`)

  let opened: Promise<ParsedKey> | undefined
  const plain = parse(text)
  const blob =
    (await readPublic(file)) ??
    publicBlobOf(text) ??
    (plain instanceof Error ? undefined : plain.getPublicSSH())
  const whenOpened = (): Promise<ParsedKey> => {
    opened ??= plain instanceof Error ? decrypt(file, text, plain, secrets) : Promise.resolve(plain)
    return opened
  }
  if (blob) return { file, blob, type: keyType(blob), problem: undefined, open: whenOpened }
  if (plain instanceof Error && !isEncrypted(plain))
    return unusable(file, `not a private key: ${plain.message}`)
  // An encrypted key in PEM without its .pub: nothing of it is known before it is decrypted.
  const key = await whenOpened()
  return { file, blob: key.getPublicSSH(), type: key.type, problem: undefined, open: whenOpened }
}

function unusable(file: string, problem: string | undefined): KeyFile {
  return {
    file,
    blob: undefined,
    type: undefined,
    problem,
    open: () =>
      Promise.reject(
        new AirliftError('E_SSH_AUTH', `${file} holds no private key`, { hint: 'name the private key' }),
      ),
  }
}

function tooOpen(stats: { mode: number; uid: number }): string | undefined {
  const mine = process.getuid?.() === stats.uid
  return mine && (stats.mode & 0o077) !== 0 ? `0${(stats.mode & 0o777).toString(8)}` : undefined
}

async function readPublic(file: string): Promise<Buffer | undefined> {
  const text = await readFile(`${file}.pub`, 'utf8').catch(() => undefined)
  return text === undefined ? undefined : publicBlobOfLine(text)
}

function parse(text: string, passphrase?: string): ParsedKey | Error {
  const parsed = ssh2.utils.parseKey(text, passphrase) as ParsedKey | ParsedKey[] | Error
  const key = Array.isArray(parsed) ? parsed[0] : parsed
  return key ?? new Error('empty key file')
}

function isEncrypted(error: Error): boolean {
  return /no passphrase given|encrypted/i.test(error.message)
}

async function decrypt(file: string, text: string, error: Error, secrets: SecretSource): Promise<ParsedKey> {
  if (!isEncrypted(error)) {
    throw new AirliftError('E_SSH_AUTH', `cannot read the key ${file}: ${error.message}`, {
      hint: 'check it with "ssh-keygen -y -f"',
    })
  }
  const passphrase = await secrets.keyPassphrase(file)
  const key = parse(text, passphrase.reveal())
  if (key instanceof Error) {
    throw new AirliftError('E_SSH_AUTH', `the passphrase of ${file} is wrong`, {
      hint: 'type it again, correct AIRLIFT_KEY_PASSPHRASE, or add the key to the agent with ssh-add',
    })
  }
  return key
}
