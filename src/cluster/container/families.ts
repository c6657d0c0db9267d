import { CLUSTER_NETWORKS, clusterNetworks, namesIpv6, networkProblems } from '../cluster-networks.js'
import type { ContainerSpec } from '../container-spec.js'
import type { SpecProblem } from '../problems.js'
import type { ContainerFlags, ContainerSubject } from './container-flags.js'
import { parseSubnet, type Subnets } from './network.js'
import { atFlag, isOptionProblem } from './option-problem.js'

/** The network of the containers and the networks inside of the cluster, as far as the flags say. */
export interface Families extends Pick<ContainerSpec, 'subnet' | 'subnet6' | 'ipFamily'> {
  /** Networks of pods and services. */
  readonly inside: readonly string[]
}

/**
 * Reads which families the cluster has: `--ip-family`, or what names a network of IPv6, as `--subnet` and `--set cluster-cidr`
 * may; and then its subnets, and whether what was chosen for pods and services has both.
 */
export function readFamilies(
  flags: Pick<ContainerFlags, 'ipFamily' | 'subnet' | 'network'>,
  subject: Pick<ContainerSubject, 'config' | 'nodes' | 'joining'>,
  problems: SpecProblem[],
): Families {
  const { ipFamily: text, subnet } = flags
  const by = impliedBy(flags, subject)
  const wanted = readFamily(text, by, problems)
  const dual = wanted === 'dual' || (wanted === undefined && by !== undefined)
  // Of a cluster that others join these are known already, and not the user's to say.
  if (!subject.joining) problems.push(...networkProblems(subject.config, dual))
  const inside = CLUSTER_NETWORKS.flatMap((key) => clusterNetworks(subject.config, key, dual))
  const subnets: Subnets =
    subnet === undefined ? {} : readSubnets(subnet, subject.nodes.length, inside, problems)
  const ipFamily = dual ? 'dual' : wanted
  return {
    inside,
    ...(subnets.subnet === undefined ? {} : { subnet: subnets.subnet }),
    ...(subnets.subnet6 === undefined ? {} : { subnet6: subnets.subnet6 }),
    ...(ipFamily === undefined ? {} : { ipFamily }),
  }
}

/** What asks for IPv6 without `--ip-family`. */
function impliedBy(
  { subnet }: Pick<ContainerFlags, 'subnet'>,
  { config }: Pick<ContainerSubject, 'config'>,
): string | undefined {
  if (subnet?.includes(',')) return `--subnet ${subnet}`
  return namesIpv6(config) ? 'cluster-cidr or service-cidr, which have IPv6' : undefined
}

function readFamily(
  text: string | undefined,
  by: string | undefined,
  problems: SpecProblem[],
): ContainerSpec['ipFamily'] {
  if (text === undefined || text === 'dual') return text
  if (text === 'ipv4') {
    if (by === undefined) return text
    const message = `"ipv4" does not go with ${by}`
    problems.push(
      atFlag('--ip-family', { message, hint: 'write --ip-family dual, or leave one of them out' }),
    )
    return undefined
  }
  const ipv6 = text === 'ipv6'
  const message = ipv6
    ? '"ipv6" alone is not to be had: nodes in containers join, and the engine publishes their ports, over IPv4'
    : `"${text}" is not a choice`
  const hint = ipv6 ? 'write --ip-family dual: pods and services then have both' : 'choose ipv4 or dual'
  problems.push(atFlag('--ip-family', { message, hint }))
  return undefined
}

function readSubnets(
  text: string,
  nodes: number,
  inside: readonly string[],
  problems: SpecProblem[],
): Subnets {
  const read = parseSubnet(text, nodes, inside)
  if (!isOptionProblem(read)) return read
  problems.push(atFlag('--subnet', read))
  return {}
}
