import { gpusText } from '../cluster/container/gpus.js'
import { hostAliasText } from '../cluster/container/host-aliases.js'
import { portText } from '../cluster/container/published-ports.js'
import { ulimitText } from '../cluster/container/ulimits.js'
import type { ContainerSpec, PortSpec } from '../cluster/container-spec.js'
import { type SpecProblem, throwProblems } from '../cluster/problems.js'

/**
 * The options of a cluster in containers that others join. Those of the whole cluster stay as they are; asking for another
 * value is refused, all at once. What each container has for itself, such as volumes, is in its node; here are the ports that
 * a new one publishes itself, certificates that it trusts beside those of the others, and the proxy of this computer where they
 * have none. Pure.
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
    ...(now.proxy && !known.proxy ? { proxy: now.proxy } : {}),
    ...certificatesOf(known, now),
  }
}

/** Those of the cluster keep their places, which their files are called by. */
function certificatesOf(
  { caCertificates: known = [] }: ContainerSpec,
  { caCertificates: now = [] }: ContainerSpec,
): Pick<ContainerSpec, 'caCertificates'> {
  const all = [...known, ...now.filter((one) => !known.some((other) => other.equals(one)))]
  return all.length > 0 ? { caCertificates: all } : {}
}

/** An option that holds for the whole cluster, as the user writes it: what is asked for (undefined: nothing), and what it is. */
interface Part {
  readonly flag: string
  readonly asked: string | undefined
  readonly is: string | undefined
}

function differences(cluster: string, known: ContainerSpec, now: ContainerSpec): SpecProblem[] {
  const list = <T>(items: readonly T[] | undefined, text: (item: T) => string): string | undefined =>
    items && items.length > 0 ? items.map(text).join(' ') : undefined
  const part = (flag: string, of: (options: ContainerSpec) => string | undefined, own?: string): Part => ({
    flag,
    asked: of(now),
    is: of(known) ?? own,
  })
  const parts: Part[] = [
    part('--image', ({ image }) => image),
    part('--network', ({ network }) => network, `airlift-${cluster}`),
    part('--subnet', ({ subnet }) => subnet),
    part('--subnet', ({ subnet6 }) => subnet6),
    part('--ip-family', ({ ipFamily }) => ipFamily, 'ipv4'),
    part('--gpus', ({ gpus }) => gpus && gpusText(gpus)),
    part('--ulimit', ({ ulimits }) => list(ulimits, ulimitText)),
    part('--host-alias', ({ hostAliases }) => list(hostAliases, hostAliasText)),
    part('--dns', ({ dns }) => list(dns, String)),
    now.api.port === known.api.port
      ? part('--api-port', ({ api: { host, address, port } }) =>
          port === undefined ? undefined : `${host ?? address}:${port}`,
        )
      : part('--api-port', ({ api: { port } }) => (port === undefined ? undefined : String(port))),
  ]
  const wrong = parts.filter(({ asked, is }) => asked !== undefined && asked !== is)
  const balancer: SpecProblem[] =
    now.loadBalancer || !known.loadBalancer
      ? []
      : [problem('--no-lb', `the cluster "${cluster}" has a load balancer, and keeps it`)]
  return [
    ...wrong.map(({ flag, asked, is }) =>
      problem(
        flag,
        `${asked} is not what the cluster "${cluster}" was made with (${is ?? 'nothing'}), and it is the same for all of its nodes`,
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
