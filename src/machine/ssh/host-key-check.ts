import { AirliftError } from '../../core/errors.js'
import type { Events } from '../../core/events.js'
import { quote } from '../quote.js'
import { fingerprint, keyType } from './key-blob.js'
import { hostKeyName, judgeKey, knownFor, orderAlgorithms } from './known-hosts.js'
import { addKnownHost, readKnownHosts } from './known-hosts-file.js'
import type { ResolvedHost } from './resolved-host.js'

/** Judges the key that a server shows, for one connection. */
export interface HostKeyCheck {
  /** Algorithms to ask for, those of known keys first. */
  readonly algorithms: readonly string[]
  /** True when a certificate authority vouches for the host: only OpenSSH can check that. */
  readonly authority: boolean
  /** Whether to go on. When not, `failure` says why. */
  verify(key: Buffer): Promise<boolean>
  failure(): AirliftError | undefined
}

/** Prepares the check of a host's key from the known_hosts files. @throws AirliftError E_SSH_HOST_KEY when one cannot be read */
export async function createHostKeyCheck(host: ResolvedHost, events: Events): Promise<HostKeyCheck> {
  const files = [...host.userKnownHosts, ...host.globalKnownHosts]
  const entries = host.hostKeys === 'off' ? [] : await readKnownHosts(files)
  // With HostKeyAlias the port is not part of the name, as in ssh.
  const name = host.hostKeyAlias?.toLowerCase() ?? hostKeyName(host.hostName, host.port)
  // As ssh: what a file has for the host itself counts for its other ports, where it has nothing for those.
  const plain =
    host.hostKeyAlias === undefined && host.port !== 22 ? hostKeyName(host.hostName, 22) : undefined
  const known = knownFor(entries, plain === undefined ? [name] : [name, plain])
  let failure: AirliftError | undefined

  const judge = async (key: Buffer): Promise<AirliftError | undefined> => {
    if (host.hostKeys === 'off') return undefined
    const own = judgeKey(entries, [name], key)
    const other = own.kind === 'unknown' && plain !== undefined ? judgeKey(entries, [plain], key) : own
    // Another key of the plain name says nothing of this port.
    const verdict = other.kind === 'changed' ? own : other
    if (verdict.kind === 'match') return undefined
    if (verdict.kind === 'revoked') {
      return new AirliftError(
        'E_SSH_HOST_KEY',
        `the host key of ${name} (${fingerprint(key)}) is revoked in ${verdict.entry.file}:${verdict.entry.line}`,
        { machine: host.alias, hint: 'do not trust this host before it has a new key' },
      )
    }
    if (verdict.kind === 'changed') return changed(host, name, key, verdict.entry)
    if (host.hostKeys === 'strict') return unknown(host, name, key)
    const file = host.userKnownHosts[0]
    if (file === undefined || file === '/dev/null') return undefined
    await addKnownHost(file, name, key, host.hashKnownHosts)
    events.emit({
      level: 'info',
      code: 'ssh.host-key-added',
      message: `trusted ${name} with ${keyType(key)} ${fingerprint(key)}, kept in ${file}`,
      machine: host.alias,
      data: { host: name, fingerprint: fingerprint(key), file },
    })
    return undefined
  }

  return {
    algorithms: orderAlgorithms(known.types),
    authority: known.authority,
    failure: () => failure,
    verify: async (key) => {
      failure = await judge(key).catch((error: AirliftError) => error)
      return failure === undefined
    },
  }
}

function changed(
  host: ResolvedHost,
  name: string,
  key: Buffer,
  entry: { file: string; line: number; blob: Buffer; type: string },
): AirliftError {
  return new AirliftError(
    'E_SSH_HOST_KEY',
    `the host key of ${name} has changed: it shows ${keyType(key)} ${fingerprint(key)}, but ${entry.file}:${entry.line} has ${entry.type} ${fingerprint(entry.blob)}`,
    {
      machine: host.alias,
      hint: `if the host was installed anew, forget the old key with: ssh-keygen -R ${quote(name)} -f ${quote(entry.file)}; otherwise somebody may be in between`,
      data: {
        host: name,
        shown: fingerprint(key),
        known: fingerprint(entry.blob),
        file: entry.file,
        line: entry.line,
      },
    },
  )
}

function unknown(host: ResolvedHost, name: string, key: Buffer): AirliftError {
  const file = host.userKnownHosts[0] ?? '~/.ssh/known_hosts'
  const line = `${name} ${keyType(key)} ${key.toString('base64')}`
  return new AirliftError(
    'E_SSH_HOST_KEY',
    `the host key of ${name} is unknown: it shows ${keyType(key)} ${fingerprint(key)}`,
    {
      machine: host.alias,
      hint: `compare the fingerprint with that of the host, then: echo ${quote(line)} >> ${quote(file)} (or use --host-keys accept-new)`,
      data: { host: name, shown: fingerprint(key), file },
    },
  )
}
