import { isIPv4, isIPv6 } from 'node:net'
import { parseHostPattern } from './host-range.js'
import type { MachineTarget } from './spec.js'

/** What one word of a host list stands for. */
export type HostWord =
  | { readonly ok: true; readonly size: number; expand(): (MachineTarget | HostWordProblem)[] }
  | HostWordProblem

/** Why a word is not a host. `at` is the 0-based offset in the word. */
export interface HostWordProblem {
  readonly ok: false
  readonly message: string
  readonly hint: string
  readonly at: number
}

/** What every message about a host shows as a right one. */
export const HOST_EXAMPLE = 'write [user@]host[:port], such as root@10.0.0.1:22, 10.0.0.[1-9] or [fd00::1]:22'

// A name that begins with a dash would be an option to OpenSSH's client.
const LABEL = /^[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?$/
const USER = /^[A-Za-z0-9_][A-Za-z0-9_.@\\$+-]*$/

const problem = (message: string, at = 0, hint = HOST_EXAMPLE): HostWordProblem => ({
  ok: false,
  message,
  hint,
  at,
})

/**
 * Understands one word of a host list: `[user@]host[:port]` with ranges, `[v6]:port`, a bare IPv6 address, `local`.
 * A leading `ssh://` is taken, because that is how machines are printed.
 */
export function parseHostWord(word: string): HostWord {
  const scheme = word.startsWith('ssh://') ? 6 : 0
  const bare = word.slice(scheme)
  const at = bare.lastIndexOf('@')
  const user = at < 0 ? undefined : bare.slice(0, at)
  const offset = scheme + at + 1
  if (user?.includes(':')) {
    // The part after the colon is likely a password, so it is not shown.
    return problem(
      `"${user.split(':')[0]}:…@" has a password in it`,
      scheme,
      'leave the password out; use keys, --ask-pass or AIRLIFT_SSH_PASSWORD',
    )
  }
  if (user !== undefined && !USER.test(user)) return problem(`"${user}" is not a user name`, scheme)
  const split = splitPort(bare.slice(at + 1))
  if ('message' in split) return problem(split.message, offset + split.at)
  const { host, port } = split
  if (host === 'local') {
    if (user !== undefined || port !== undefined) {
      return problem('"local" takes no user and no port', 0, 'write local, or localhost to go over SSH')
    }
    const target: MachineTarget = { kind: 'local', text: 'local', host: 'local' }
    return { ok: true, size: 1, expand: () => [target] }
  }
  const build = (name: string): MachineTarget | HostWordProblem => {
    const wrong = checkHost(name)
    if (wrong !== undefined) return problem(wrong, offset)
    return sshTarget(name, user, port)
  }
  if (isIPv6(host)) return { ok: true, size: 1, expand: () => [build(host)] }
  const pattern = parseHostPattern(host)
  if ('message' in pattern) return problem(pattern.message, offset + pattern.at)
  return { ok: true, size: pattern.size, expand: () => pattern.expand().map(build) }
}

function sshTarget(host: string, user: string | undefined, port: number | undefined): MachineTarget {
  const shown = isIPv6(host) && port !== undefined ? `[${host}]` : host
  return {
    kind: 'ssh',
    text: `${user === undefined ? '' : `${user}@`}${shown}${port === undefined ? '' : `:${port}`}`,
    host,
    ...(user === undefined ? {} : { user }),
    ...(port === undefined ? {} : { port }),
  }
}

type Split = { host: string; port: number | undefined } | { message: string; at: number }

/** Takes the port off. Brackets with a colon inside are an IPv6 address, others are a range. */
function splitPort(text: string): Split {
  if (text === '') return { message: 'the host is missing', at: 0 }
  if (isIPv6(text)) return { host: text, port: undefined }
  const close = text.indexOf(']')
  if (text.startsWith('[') && text.slice(0, close).includes(':')) {
    const host = text.slice(1, close)
    if (!isIPv6(host)) return { message: `"${host}" is not an IPv6 address`, at: 1 }
    const rest = text.slice(close + 1)
    if (rest === '') return { host, port: undefined }
    if (!rest.startsWith(':')) return { message: `"${rest}" follows the address`, at: close + 1 }
    return withPort(host, rest.slice(1), close + 2)
  }
  const colon = text.lastIndexOf(':')
  if (colon < 0) return { host: text, port: undefined }
  // Two colons outside brackets can only be meant as IPv6: "fd00::[1-9]" is one with a range.
  if (text.indexOf(':') !== colon) {
    return isIPv6(text.replace(/\[\d[^\]]*\]/g, '1'))
      ? { host: text, port: undefined }
      : { message: `"${text}" is not an IPv6 address`, at: 0 }
  }
  return withPort(text.slice(0, colon), text.slice(colon + 1), colon + 1)
}

function withPort(host: string, text: string, at: number): Split {
  const port = Number(text)
  if (!/^\d{1,5}$/.test(text) || port < 1 || port > 65535) {
    return { message: `"${text}" is not a port (1 to 65535)`, at }
  }
  return host === '' ? { message: 'the host is missing', at: 0 } : { host, port }
}

function checkHost(host: string): string | undefined {
  if (isIPv4(host) || isIPv6(host)) return undefined
  if (/^[\d.]+$/.test(host)) return `"${host}" is not an IPv4 address`
  const labels = host.replace(/\.$/, '').split('.')
  if (host.length > 253 || !labels.every((label) => LABEL.test(label))) return `"${host}" is not a host name`
  return undefined
}
