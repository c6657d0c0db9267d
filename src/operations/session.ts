import type { NodeSpec, SshOptions } from '../cluster/spec.js'
import type { Context } from '../core/context.js'
import { AirliftError, isAirliftError } from '../core/errors.js'
import { type Connector, connectAll, createConnector } from '../machine/connect.js'
import type { Engine } from '../machine/docker/engine.js'
import type { Machine } from '../machine/machine.js'
import type { SecretSource } from '../machine/ssh/secret-source.js'
import type { World } from '../runtime/runtime.js'

/** Connected machines of one operation. Disposing closes every connection. */
export interface Session extends AsyncDisposable {
  readonly machines: readonly { readonly machine: Machine; readonly node: NodeSpec }[]
  /** Those that could not be connected. */
  readonly failures: readonly { readonly node: NodeSpec; readonly error: AirliftError }[]
  /** By machine id. */
  readonly byId: ReadonlyMap<string, Machine>
}

/** What operations need beside their spec. */
export interface OperationDeps {
  readonly secrets: SecretSource
  /** How machines are connected; tests give fakes. */
  readonly createConnector?: (options: SshOptions, ctx: Context) => Connector
  /** How the container engine is connected; tests give a fake. */
  readonly connectEngine?: (ctx: Context) => Promise<Engine>
}

/** What a machine that cannot be connected is called: its id, where that is known. */
export function idOfLost(node: NodeSpec, { data }: AirliftError): string {
  return typeof data?.id === 'string' ? data.id : `ssh://${node.target.text}`
}

/** The id of a node's machine, connected or not; undefined where the node is none of the session's. */
export function idInSession({ machines, failures }: Session, node: NodeSpec): string | undefined {
  const lost = failures.find((entry) => entry.node === node)
  return machines.find((entry) => entry.node === node)?.machine.id ?? (lost && idOfLost(node, lost.error))
}

/**
 * Connects every node's machine at once. Two names for one machine are refused.
 * @throws AirliftError E_HOST_INVALID, E_INTERRUPTED; E_LOCAL_FILE where a file of this computer cannot be read
 */
export async function openSession(
  nodes: readonly NodeSpec[],
  options: SshOptions,
  ctx: Context,
  deps: OperationDeps,
): Promise<Session> {
  const connector = deps.createConnector?.(options, ctx) ?? createConnector(options, ctx, deps.secrets)
  const results = await connectAll(
    nodes.map((node) => node.target),
    connector,
  )
  const machines: { machine: Machine; node: NodeSpec }[] = []
  const failures: { node: NodeSpec; error: AirliftError }[] = []
  for (const [index, { result }] of results.entries()) {
    const node = nodes[index]
    if (!node) continue
    if (isAirliftError(result)) failures.push({ node, error: result })
    else machines.push({ machine: result, node })
  }
  const session: Session = {
    machines,
    failures,
    byId: new Map(machines.map(({ machine }) => [machine.id, machine])),
    [Symbol.asyncDispose]: () => connector.close(),
  }
  const twice = machines.find(
    ({ machine }, index) => machines.findIndex((other) => other.machine.id === machine.id) < index,
  )
  if (twice) {
    await session[Symbol.asyncDispose]()
    throw new AirliftError(
      'E_HOST_INVALID',
      `"${twice.node.target.text}" is the same machine as another one that was named`,
      {
        machine: twice.machine.id,
        hint: 'name each machine once: ~/.ssh/config may map two names to one host',
      },
    )
  }
  // A password or key that cannot be read here is no matter of one machine.
  const here = failures.find(({ error }) => error.code === 'E_LOCAL_FILE')
  if (here && !ctx.signal.aborted) {
    await session[Symbol.asyncDispose]()
    throw here.error
  }
  if (ctx.signal.aborted) {
    // Nobody else will close what was connected before, and an open connection keeps the process alive.
    await session[Symbol.asyncDispose]()
    ctx.signal.throwIfAborted()
  }
  return session
}

/**
 * Throws one error for all machines that could not be connected or looked at: the first one's code and remedy, with every
 * reason. What changes a cluster needs all of its machines; what only looks does not.
 */
export function requireAll(world: World): void {
  const [first, ...others] = world.unreachable
  if (!first) return
  if (others.length === 0) throw first.error
  throw new AirliftError(first.error.code, `${world.unreachable.length} machines cannot be used`, {
    log: world.unreachable.map(({ node, error }) => `${node.target.text}: ${error.message}`),
    ...(first.error.hint ? { hint: first.error.hint } : {}),
    data: {
      machines: world.unreachable.map(({ node, error }) => ({
        machine: node.target.text,
        code: error.code,
        message: error.message,
      })),
    },
  })
}
