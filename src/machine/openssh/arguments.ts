import type { MachineTarget, SshOptions } from '../../cluster/spec.js'
import type { ResolvedHost } from '../ssh/resolved-host.js'

/** What decides about the configuration of ssh beside target and flags. */
export interface ArgumentParts {
  readonly target: Pick<MachineTarget, 'host' | 'user' | 'port'>
  readonly options: SshOptions
  readonly host: ResolvedHost
  /** The private directory for the control socket and the configuration. */
  readonly dir: string
  /** True when a password may be used; it comes from the askpass script. */
  readonly password: boolean
  /** True when ssh may ask for a PIN or a passphrase: there is a terminal, or an askpass script that knows. */
  readonly mayAsk: boolean
  /** The files that ssh would read by itself, the user's first. */
  readonly configFiles: readonly string[]
}

/**
 * A configuration for ssh: what the flags say, then the user's own. It is a file, rather than options on the command line,
 * because ssh hands its file on to the ssh that reaches a bastion, and its options it does not: so keys and known hosts
 * mean the same for bastions as they do with ssh2. Holds no secret.
 */
export function sshConfigText(parts: ArgumentParts): string {
  const { options, host } = parts
  const lines = [
    `ServerAliveInterval ${host.keepaliveMs / 1000}`,
    `ServerAliveCountMax ${host.keepaliveCount}`,
    `ConnectTimeout ${Math.ceil(host.connectTimeoutMs / 1000)}`,
    'NumberOfPasswordPrompts 1',
    'PermitLocalCommand no',
  ]
  // What the configuration says about host keys stays, unless a flag says more; ssh's own default would ask.
  const strictness = { strict: 'yes', 'accept-new': 'accept-new', off: 'no' }[host.hostKeys]
  lines.push(`StrictHostKeyChecking ${strictness}`)
  if (host.hostKeys === 'off') {
    lines.push('UserKnownHostsFile /dev/null', 'GlobalKnownHostsFile /dev/null')
  } else if (options.knownHosts !== undefined) {
    lines.push(`UserKnownHostsFile ${quoted(host.userKnownHosts[0] ?? options.knownHosts)}`)
    lines.push('GlobalKnownHostsFile /dev/null')
  }
  if (options.identities.length > 0)
    lines.push(...host.identityFiles.map((file) => `IdentityFile ${quoted(file)}`))
  if (!parts.password) {
    lines.push('PasswordAuthentication no', 'KbdInteractiveAuthentication no')
    if (!parts.mayAsk) lines.push('BatchMode yes')
  }
  lines.push(...parts.configFiles.map((file) => `Include ${quoted(file)}`))
  return `${lines.join('\n')}\n`
}

/** The options of ssh that are about this one connection. `configFile` is the file that {@link sshConfigText} went into. */
export function sshArguments(parts: ArgumentParts, configFile: string): string[] {
  const { target, options } = parts
  const set: Record<string, string> = {
    ControlMaster: 'auto',
    // %C is a hash of host, port and user: a name that fits into the 108 bytes of a socket's path.
    ControlPath: quoted(`${parts.dir}/%C`),
    ControlPersist: '60',
    // Somebody's forwards and remote command are for their own sessions.
    ClearAllForwardings: 'yes',
    RemoteCommand: 'none',
  }
  const user = target.user ?? options.user
  const port = target.port ?? options.port
  return [
    '-F',
    configFile,
    ...Object.entries(set).flatMap(([key, value]) => ['-o', `${key}=${value}`]),
    ...(options.jump === undefined ? [] : ['-J', options.jump]),
    ...(user === undefined ? [] : ['-l', user]),
    ...(port === undefined ? [] : ['-p', String(port)]),
  ]
}

/** A path with blanks in it as one word. */
function quoted(path: string): string {
  return /\s/.test(path) ? `"${path}"` : path
}
