import { readFile } from 'node:fs/promises'
import { AirliftError } from '../../core/errors.js'
import { quote } from '../quote.js'
import { tail } from '../session/sudo.js'
import { fingerprint, publicBlobOfLine } from '../ssh/key-blob.js'
import { parseKnownHosts } from '../ssh/known-hosts.js'
import type { ResolvedHost } from '../ssh/resolved-host.js'
import { hostPort } from '../ssh/resolved-host.js'
import { unreachable } from '../ssh/socket.js'

/** What ssh says about hosts that it cannot reach, and the code of the system that stands for it. */
const UNREACHABLE: readonly (readonly [RegExp, string])[] = [
  [/Could not resolve hostname .*Temporary failure/i, 'EAI_AGAIN'],
  [/Could not resolve hostname/i, 'ENOTFOUND'],
  [/Connection refused/i, 'ECONNREFUSED'],
  [/timed out/i, 'ETIMEDOUT'],
  [/No route to host|Network is unreachable/i, 'EHOSTUNREACH'],
  [/kex_exchange_identification|Connection (closed|reset) by|Broken pipe/i, 'ECONNRESET'],
]

/** The error for an ssh that did not connect, from what it printed (OpenSSH 7.6 to 10). */
export async function opensshError(host: ResolvedHost, stderr: string): Promise<AirliftError> {
  const log = tail(stderr, 8)
  const details = { machine: host.alias, log }
  if (/REMOTE HOST IDENTIFICATION HAS CHANGED/i.test(stderr)) return changedKey(host, stderr)
  if (/Host key verification failed|host key is known for .* strict checking/i.test(stderr)) {
    return new AirliftError(
      'E_SSH_HOST_KEY',
      `the host key of ${hostPort(host.hostName, host.port)} is not trusted`,
      {
        ...details,
        hint: 'compare its fingerprint and add it to known_hosts, or use --host-keys accept-new',
      },
    )
  }
  const config = /^(\S+)(?::| )(?: ?line )(\d+): (.*)$/im.exec(stderr)
  if (/Bad configuration option|Bad owner or permissions|terminating, \d+ bad configuration/i.test(stderr)) {
    const at = config
      ? `${config[1]?.replace(/:$/, '')}:${config[2]}: ${config[3]}`
      : (log[0] ?? 'bad configuration')
    return new AirliftError('E_SSH_CONFIG', at, {
      ...details,
      hint: 'correct the line; "ssh -G HOST" checks it too',
    })
  }
  const denied = /Permission denied \(([^)]*)\)/i.exec(stderr)
  if (denied || /Too many authentication failures/i.test(stderr)) {
    const accepts = denied?.[1] ? `; the server accepts ${denied[1].replaceAll(',', ', ')}` : ''
    return new AirliftError('E_SSH_AUTH', `${host.hostName} refused ${host.user}${accepts}`, {
      ...details,
      hint: 'try "ssh -v" to the host; name the right key with --identity, or use --ask-pass',
    })
  }
  if (/no matching .* found|Unable to negotiate/i.test(stderr)) {
    return new AirliftError(
      'E_SSH_LOST',
      `no algorithm in common with ${hostPort(host.hostName, host.port)}`,
      {
        ...details,
        hint: 'see the last line for what the server offers; allow it for this host in ~/.ssh/config',
      },
    )
  }
  for (const [pattern, code] of UNREACHABLE) {
    if (pattern.test(stderr)) return unreachable(host, code, new Error(log.join('\n')))
  }
  return new AirliftError(
    'E_SSH_LOST',
    `ssh could not connect to ${hostPort(host.hostName, host.port)}: ${log.at(-1) ?? 'it said nothing'}`,
    {
      ...details,
      hint: 'try "ssh -v" to the host',
    },
  )
}

async function changedKey(host: ResolvedHost, stderr: string): Promise<AirliftError> {
  const shown = /SHA256:[A-Za-z0-9+/]+/.exec(stderr)?.[0] ?? 'another key'
  const place = /Offending (?:key for IP|\S+ key) in (.+):(\d+)/.exec(stderr)
  const [, file = 'known_hosts', line = '0'] = place ?? []
  const known = await knownFingerprint(file, Number(line))
  const name = host.port === 22 ? host.hostName : `[${host.hostName}]:${host.port}`
  return new AirliftError(
    'E_SSH_HOST_KEY',
    `the host key of ${name} has changed: it shows ${shown}, but ${file}:${line} has ${known ?? 'another'}`,
    {
      machine: host.alias,
      hint: `if the host was installed anew, forget the old key with: ssh-keygen -R ${quote(name)} -f ${quote(file)}; otherwise somebody may be in between`,
      data: { host: name, shown, known, file, line: Number(line) },
    },
  )
}

async function knownFingerprint(file: string, line: number): Promise<string | undefined> {
  const text = await readFile(file, 'utf8').catch(() => '')
  const entry = parseKnownHosts(text, file).find((each) => each.line === line)
  const blob = entry?.blob ?? publicBlobOfLine(text.split('\n')[line - 1] ?? '')
  return blob === undefined ? undefined : fingerprint(blob)
}
