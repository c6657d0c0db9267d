import { portText } from '../cluster/container/published-ports.js'
import type { ContainerSpec, PortSpec } from '../cluster/container-spec.js'
import { type SpecProblem, throwProblems } from '../cluster/problems.js'
import type { ClusterSpec, NodeSpec } from '../cluster/spec.js'

/**
 * The options of a cluster in containers that others join. Those of the whole cluster stay as they are; asking for another
 * value is refused, all at once. What each container has for itself, such as volumes, is in its node; here are the ports that
 * a new one publishes itself, and what comes from this computer each time: its proxy and certificates. Pure.
 * @throws AirliftError E_USAGE (exit 2) naming every flag that cannot be honoured
 */
export function joiningOptions(
  cluster: string,
  known: ContainerSpec,
  now: ContainerSpec | undefined,
): ContainerSpec {
  if (!now) return known
  throwProblems([...differences(cluster, known, now), ...portProblems(cluster, known, now)])
  return {
    ...known,
    ports: [...known.ports, ...now.ports],
    keep: now.keep,
    ...(now.proxy ? { proxy: now.proxy } : {}),
    ...(now.caCertificates ? { caCertificates: now.caCertificates } : {}),
  }
}

/** A part of the options that holds for the whole cluster: what is asked for (undefined: nothing), what it is, and as text. */
interface Part {
  readonly flag: string
  readonly asked: unknown
  readonly is: unknown
  readonly text: (value: unknown) => string
}

function differences(cluster: string, known: ContainerSpec, now: ContainerSpec): SpecProblem[] {
  const json = (value: unknown): string => JSON.stringify(value)
  const plain = (value: unknown): string => String(value)
  const list = (items: readonly unknown[]): unknown => (items.length > 0 ? items : undefined)
  const parts: Part[] = [
    { flag: '--image', asked: now.image, is: known.image, text: plain },
    { flag: '--network', asked: now.network, is: known.network ?? `airlift-${cluster}`, text: plain },
    { flag: '--subnet', asked: now.subnet, is: known.subnet, text: plain },
    { flag: '--subnet', asked: now.subnet6, is: known.subnet6, text: plain },
    { flag: '--ip-family', asked: now.ipFamily, is: known.ipFamily ?? 'ipv4', text: plain },
    { flag: '--gpus', asked: now.gpus, is: known.gpus, text: json },
    { flag: '--ulimit', asked: list(now.ulimits), is: list(known.ulimits), text: json },
    { flag: '--host-alias', asked: list(now.hostAliases), is: list(known.hostAliases), text: json },
    { flag: '--dns', asked: now.dns, is: known.dns, text: json },
    { flag: '--api-port', asked: now.api.port, is: known.api.port, text: plain },
    ...(now.api.port === undefined || now.api.port !== known.api.port
      ? []
      : [
          {
            flag: '--api-port',
            asked: now.api.host ?? now.api.address,
            is: known.api.host ?? known.api.address,
            text: plain,
          },
        ]),
  ]
  const wrong = parts.filter(({ asked, is }) => asked !== undefined && json(asked) !== json(is))
  const balancer: SpecProblem[] =
    now.loadBalancer || !known.loadBalancer
      ? []
      : [problem('--no-lb', `the cluster "${cluster}" has a load balancer, and keeps it`)]
  return [
    ...wrong.map(({ flag, asked, is, text }) =>
      problem(
        flag,
        `${text(asked)} is not what the cluster "${cluster}" was made with (${is === undefined ? 'nothing' : text(is)}), and it is the same for all of its nodes`,
      ),
    ),
    ...balancer,
  ]
}

function problem(path: string, message: string, hint = `leave ${path} out`): SpecProblem {
  return { code: 'E_USAGE', path, message, hint }
}

/** A new container can publish ports itself; the load balancer, or the first master, is there already. */
function portProblems(cluster: string, known: ContainerSpec, now: ContainerSpec): SpecProblem[] {
  const taken = (port: PortSpec): string | undefined => {
    if (port.hostPort === 0) return undefined
    if (port.protocol === 'tcp' && port.hostPort === known.api.port) return 'the API'
    const other = known.ports.find(
      ({ hostPort, protocol }) => hostPort === port.hostPort && protocol === port.protocol,
    )
    return other && portText(other)
  }
  return now.ports.flatMap((port): SpecProblem[] => {
    if (port.via === 'proxy')
      return [
        problem(
          '--port',
          `${portText(port)} would be published by a container that is there already`,
          `add the nodes first, then: airlift ports add ${portText(port)} --name ${cluster}; a new node itself publishes with :direct`,
        ),
      ]
    const by = taken(port)
    if (by === undefined) return []
    return [
      problem('--port', `port ${port.hostPort} of ${portText(port)} is taken by ${by}`, 'choose another'),
    ]
  })
}

/**
 * A container that joins, with the memory and processors of those that are there already, unless it was given its own: as the
 * last of its role, or as a master where there is none. Pure.
 */
export function withKnownLimits(node: NodeSpec, known: ClusterSpec): NodeSpec {
  if (!node.container) return node
  const others = (list: readonly NodeSpec[]): readonly NodeSpec[] =>
    list.filter(({ target }) => target.host !== node.target.host)
  const like =
    others(node.role === 'master' ? known.masters : known.nodes).at(-1) ?? others(known.masters).at(-1)
  const { memoryBytes = like?.container?.memoryBytes, cpus = like?.container?.cpus, ...rest } = node.container
  return {
    ...node,
    container: {
      ...rest,
      ...(memoryBytes === undefined ? {} : { memoryBytes }),
      ...(cpus === undefined ? {} : { cpus }),
    },
  }
}
