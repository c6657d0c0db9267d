/** One hop of a ProxyJump, as written. */
export interface JumpHop {
  readonly user?: string
  readonly host: string
  readonly port?: number
}

/** Everything that is known about reaching a host when flags, target and ~/.ssh/config have been put together. */
export interface ResolvedHost {
  /** The host as the user typed it; what `Host` lines are matched with. */
  readonly alias: string
  /** What is connected to. */
  readonly hostName: string
  readonly user: string
  readonly port: number
  /** Private key files in the order in which they are offered; they need not exist. */
  readonly identityFiles: readonly string[]
  /** True when the user named the files, so that a missing one is worth a warning. */
  readonly identitiesNamed: boolean
  readonly identitiesOnly: boolean
  /** Path of the agent's socket; undefined when there is none or it is switched off. */
  readonly identityAgent: string | undefined
  readonly certificateFiles: readonly string[]
  /** Hops before this host, the first one first. */
  readonly proxyJump: readonly JumpHop[]
  readonly userKnownHosts: readonly string[]
  readonly globalKnownHosts: readonly string[]
  readonly hostKeys: 'strict' | 'accept-new' | 'off'
  readonly hostKeyAlias: string | undefined
  readonly hashKnownHosts: boolean
  readonly connectTimeoutMs: number
  readonly keepaliveMs: number
  readonly keepaliveCount: number
  readonly addressFamily: 'any' | 'inet' | 'inet6'
  /** Why only OpenSSH's own client can reach it; undefined when ssh2 can. */
  readonly needsOpenssh: string | undefined
}

/** `host:port`, with brackets around IPv6. */
export function hostPort(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

/** The canonical id of a machine over SSH: `ssh://root@10.0.0.1:22`. */
export function machineId(host: ResolvedHost): string {
  return `ssh://${host.user}@${hostPort(host.hostName, host.port)}`
}
