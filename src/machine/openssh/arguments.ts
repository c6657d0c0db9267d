import type { MachineTarget, SshOptions } from '../../cluster/spec.js'
import type { ResolvedHost } from '../ssh/resolved-host.js'

/** What decides about the command line of ssh beside target and flags. */
export interface ArgumentParts {
  readonly target: Pick<MachineTarget, 'host' | 'user' | 'port'>
  readonly options: SshOptions
  readonly host: ResolvedHost
  /** The private directory for the control socket. */
  readonly dir: string
  /** True when a password may be used; it comes from the askpass script. */
  readonly password: boolean
  /** True when ssh may ask for a PIN or a passphrase: there is a terminal, or an askpass script that knows. */
  readonly mayAsk: boolean
}

/**
 * The options of ssh that make it do what the flags say and nothing that a tool does not want; the configuration keeps
 * its say in everything else. Holds no secret.
 */
export function sshArguments(parts: ArgumentParts): string[] {
  const { target, options, host } = parts
  const set: Record<string, string> = {
    ControlMaster: 'auto',
    // %C is a hash of host, port and user: a name that fits into the 108 bytes of a socket's path.
    ControlPath: quoted(`${parts.dir}/%C`),
    ControlPersist: '60',
    ServerAliveInterval: String(host.keepaliveMs / 1000),
    ServerAliveCountMax: String(host.keepaliveCount),
    ConnectTimeout: String(Math.ceil(host.connectTimeoutMs / 1000)),
    StrictHostKeyChecking: { strict: 'yes', 'accept-new': 'accept-new', off: 'no' }[host.hostKeys],
    NumberOfPasswordPrompts: '1',
    // Somebody's forwards, remote command or local command are for their own sessions.
    ClearAllForwardings: 'yes',
    RemoteCommand: 'none',
    PermitLocalCommand: 'no',
  }
  if (host.hostKeys === 'off') {
    set.UserKnownHostsFile = '/dev/null'
    set.GlobalKnownHostsFile = '/dev/null'
  } else if (options.knownHosts !== undefined) {
    set.UserKnownHostsFile = quoted(host.userKnownHosts[0] ?? options.knownHosts)
    set.GlobalKnownHostsFile = '/dev/null'
  }
  if (!parts.password) {
    set.PasswordAuthentication = 'no'
    set.KbdInteractiveAuthentication = 'no'
    if (!parts.mayAsk) set.BatchMode = 'yes'
  }
  const user = target.user ?? options.user
  const port = target.port ?? options.port
  return [
    ...(options.configFile === undefined ? [] : ['-F', options.configFile]),
    ...Object.entries(set).flatMap(([key, value]) => ['-o', `${key}=${value}`]),
    ...(options.identities.length > 0 ? host.identityFiles.flatMap((file) => ['-i', file]) : []),
    ...(options.jump === undefined ? [] : ['-J', options.jump]),
    ...(user === undefined ? [] : ['-l', user]),
    ...(port === undefined ? [] : ['-p', String(port)]),
  ]
}

/** A value of -o with blanks in it. */
function quoted(path: string): string {
  return /\s/.test(path) ? `"${path}"` : path
}
