import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { MachineTarget, SshOptions } from '../../cluster/spec.js'
import { expandTokens } from './config-tokens.js'
import type { ConfigValues } from './config-values.js'
import { parseJump } from './jump.js'
import type { LocalFacts } from './local-facts.js'
import type { ResolvedHost } from './resolved-host.js'

/**
 * Settings that ssh2 would pass over, and that say whom to trust or from where to come. Lists of algorithms are not among them:
 * some distributions set those for everybody, and what ssh2 offers is of today's.
 */
const ONLY_OPENSSH: readonly (readonly [key: string, name: string])[] = [
  ['revokedhostkeys', 'RevokedHostKeys'],
  ['bindaddress', 'BindAddress'],
  ['bindinterface', 'BindInterface'],
]

/** The keys that ssh looks for when none is named (ssh_config(5), IdentityFile). */
const DEFAULT_KEYS = ['id_rsa', 'id_ecdsa', 'id_ecdsa_sk', 'id_ed25519', 'id_ed25519_sk']
const DEFAULT_CONNECT_TIMEOUT_S = 15
const KEEPALIVE_S = 15
const KEEPALIVE_COUNT = 4

/** The user as the target and the flags have it, ahead of the configuration; what `Match user` is asked with. */
export function namedUser(target: Pick<MachineTarget, 'user'>, options: SshOptions): string | undefined {
  return target.user ?? options.user
}

/**
 * Puts target, flags and configuration together. What is written with the host wins over flags, flags win over the
 * configuration, and that over the defaults.
 * @throws AirliftError E_SSH_CONFIG for a value that means nothing
 */
export function resolveHost(
  target: Pick<MachineTarget, 'host' | 'user' | 'port'>,
  options: SshOptions,
  config: ConfigValues,
  local: LocalFacts,
): ResolvedHost {
  const alias = target.host
  const early = { host: alias, originalHost: alias, local }
  const hostName = expandTokens(config.one('hostname') ?? alias, early)
  const user = namedUser(target, options) ?? config.one('user') ?? local.user
  const port = target.port ?? options.port ?? config.number('port') ?? 22
  const tokens = { host: hostName, originalHost: alias, user, port, local }
  const path = (value: string): string => expandTokens(value, tokens)
  const files = (key: string): string[] =>
    config
      .all(key)
      .filter((value) => value.toLowerCase() !== 'none')
      .map(path)
  // As ssh has it: -i adds to what the configuration names, which may be the keys of a bastion.
  const named = [...new Set([...options.identities.map(path), ...files('identityfile')])]
  const seconds = config.number('serveraliveinterval')
  return {
    alias,
    hostName,
    user,
    port,
    identityFiles:
      named.length > 0 || config.all('identityfile').length > 0
        ? named
        : DEFAULT_KEYS.map((name) => join(local.home, '.ssh', name)),
    identitiesNamed: named.length > 0,
    identitiesOnly: config.flag('identitiesonly') ?? false,
    identityAgent: agentSocket(config.one('identityagent'), path, local),
    certificateFiles: files('certificatefile'),
    proxyJump: jumps(target, options, config),
    userKnownHosts: options.knownHosts
      ? [path(options.knownHosts)]
      : knownHosts(config.words('userknownhostsfile'), path, [
          join(local.home, '.ssh', 'known_hosts'),
          join(local.home, '.ssh', 'known_hosts2'),
        ]),
    globalKnownHosts: options.knownHosts
      ? []
      : knownHosts(config.words('globalknownhostsfile'), path, [
          '/etc/ssh/ssh_known_hosts',
          '/etc/ssh/ssh_known_hosts2',
        ]),
    hostKeys: hostKeys(options, config),
    hostKeyAlias: config.one('hostkeyalias'),
    hashKnownHosts: config.flag('hashknownhosts') ?? false,
    connectTimeoutMs: (config.number('connecttimeout') || DEFAULT_CONNECT_TIMEOUT_S) * 1000,
    // ServerAliveInterval 0 is ssh's default, not a wish: a connection that died must be noticed.
    keepaliveMs: (seconds || KEEPALIVE_S) * 1000,
    keepaliveCount: config.number('serveralivecountmax') ?? KEEPALIVE_COUNT,
    addressFamily: family(config.one('addressfamily')),
    needsOpenssh: whyOpenssh(options, config, local),
  }
}

function jumps(
  target: Pick<MachineTarget, 'host'>,
  options: SshOptions,
  config: ConfigValues,
): ResolvedHost['proxyJump'] {
  const text = options.jump ?? config.one('proxyjump')
  if (text === undefined || text.toLowerCase() === 'none') return []
  return parseJump(text, target.host)
}

function agentSocket(
  value: string | undefined,
  path: (value: string) => string,
  local: LocalFacts,
): string | undefined {
  if (value?.toLowerCase() === 'none') return undefined
  if (value === undefined || value === 'SSH_AUTH_SOCK') return local.env.SSH_AUTH_SOCK || undefined
  if (value.startsWith('$') && !value.startsWith('${')) return local.env[value.slice(1)] || undefined
  return path(value)
}

function knownHosts(
  value: readonly string[],
  path: (value: string) => string,
  fallback: readonly string[],
): readonly string[] {
  if (value.length === 0) return fallback
  return value.filter((each) => each.toLowerCase() !== 'none').map(path)
}

function hostKeys(options: SshOptions, config: ConfigValues): ResolvedHost['hostKeys'] {
  if (options.hostKeys !== undefined) return options.hostKeys
  const value = config.one('stricthostkeychecking')?.toLowerCase()
  if (value === 'yes' || value === 'true') return 'strict'
  if (value === 'no' || value === 'false' || value === 'off') return 'off'
  // `ask`, ssh's default, would need somebody to answer; accept-new is what airlift promises instead.
  return 'accept-new'
}

function family(value: string | undefined): ResolvedHost['addressFamily'] {
  const lower = value?.toLowerCase()
  return lower === 'inet' || lower === 'inet6' ? lower : 'any'
}

/** The settings that ssh2 has no way to honour. */
function whyOpenssh(options: SshOptions, config: ConfigValues, local: LocalFacts): string | undefined {
  const set = (key: string): boolean => {
    const value = config.one(key)
    return value !== undefined && value.toLowerCase() !== 'none'
  }
  if (options.jump === undefined && set('proxycommand') && !jumpComesFirst(config)) return 'ProxyCommand'
  if (set('certificatefile')) return 'CertificateFile'
  if (set('pkcs11provider')) return 'PKCS11Provider'
  if (config.flag('gssapiauthentication') && gssapiPreferred(config, local)) return 'GSSAPIAuthentication'
  if (config.flagOr('canonicalizehostname', ['always'])) return 'CanonicalizeHostname'
  if (set('knownhostscommand')) return 'KnownHostsCommand'
  const only = ONLY_OPENSSH.find(([key]) => set(key))
  if (only) return only[1]
  if (config.flag('pubkeyauthentication') === false) return 'PubkeyAuthentication'
  if (config.usesExec) return 'Match exec'
  return undefined
}

/** ProxyJump and ProxyCommand: the first of the two in the file wins. */
function jumpComesFirst(config: ConfigValues): boolean {
  const order = config.order('proxyjump')
  return order >= 0 && order < config.order('proxycommand')
}

function gssapiPreferred(config: ConfigValues, local: LocalFacts): boolean {
  const preferred = config.one('preferredauthentications')
  return preferred === undefined ? hasTicket(local) : /^gssapi/.test(preferred)
}

/** Debian's ssh_config switches GSSAPI on for everybody; without a ticket it means nothing. */
function hasTicket(local: LocalFacts): boolean {
  const name = local.env.KRB5CCNAME
  if (name !== undefined) return !name.startsWith('FILE:') || existsSync(name.slice(5))
  return existsSync(`/tmp/krb5cc_${local.uid}`)
}
