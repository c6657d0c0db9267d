import type { SshOptions } from '../../src/cluster/spec.js'
import { plainSsh } from '../../src/cluster/ssh.fixture.js'
import type { Context } from '../../src/core/context.js'
import { createContext } from '../../src/core/context.js'
import type { AirliftEvent } from '../../src/core/events.js'
import { createEvents } from '../../src/core/events.js'
import { connectMachine } from '../../src/machine/connect.js'
import type { Machine } from '../../src/machine/machine.js'
import { createSecretSource } from '../../src/machine/ssh/secret-source.js'
import type { OwnSshd } from './own-sshd.js'

/** What a test may choose about a connection. */
export interface ReachOptions {
  readonly host?: string
  readonly user?: string
  readonly port?: number
  readonly flags?: Partial<SshOptions>
  readonly env?: Readonly<Record<string, string | undefined>>
  readonly events?: AirliftEvent[]
  readonly signal?: AbortSignal
}

/** Flags that leave the configuration, the agent and the known hosts of whoever runs the tests alone. */
export function plainFlags(over: Partial<SshOptions> = {}): SshOptions {
  return { ...plainSsh, configFile: 'none', ...over }
}

/** A context of which the events are kept. */
export function testContext(options: ReachOptions): Context {
  const { events } = options
  return createContext({
    env: { HOME: '/nonexistent', ...options.env },
    ...(events ? { events: createEvents([(event) => events.push(event)]) } : {}),
    ...(options.signal ? { signal: options.signal } : {}),
  })
}

/** Connects to a host as `airlift` would. */
export function reach(options: ReachOptions): Promise<Machine> {
  const { host = '127.0.0.1', user = 'root', port } = options
  const target = { kind: 'ssh', text: 'web1', host, user, ...(port === undefined ? {} : { port }) } as const
  const ctx = testContext(options)
  return connectMachine(
    target,
    plainFlags(options.flags),
    ctx,
    createSecretSource(ctx.env, async () => undefined),
  )
}

/** Connects to the test's own sshd. */
export function reachOwn(sshd: OwnSshd, options: ReachOptions = {}): Promise<Machine> {
  const flags = { identities: [sshd.identity], knownHosts: `${sshd.dir}/known_hosts`, ...options.flags }
  return reach({ port: sshd.port, ...options, flags })
}
