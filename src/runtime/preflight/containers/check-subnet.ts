import { CLUSTER_NETWORKS, clusterNetworks } from '../../../cluster/cluster-networks.js'
import { cidrsOverlap, familyOf, parseCidr } from '../../../core/cidr.js'
import { type Problem, problem } from '../problem.js'
import type { EngineCheck } from './engine-check.js'

/** The network that the user names, against the engine's others, the routes of its computer, and those of pods and services. */
export function checkSubnet(input: EngineCheck): Problem[] {
  const { spec, engine, name } = input
  const { network, subnet, subnet6, ipFamily } = spec.containers ?? {}
  const dual = ipFamily === 'dual'
  const found: Problem[] = [...checkNamed(input, dual)]
  if (dual && engine.computer?.ipv6 === false)
    found.push(problem('engine-ipv6', name, 'the kernel of this computer, where the engine is, has no IPv6'))
  const used = engine.networks.find((entry) => entry.name === network)
  const own = `airlift-${spec.name}`
  const made = engine.networks.some((entry) => entry.name === own)
  const asked = [subnet, subnet6].filter((cidr) => cidr !== undefined)
  for (const cidr of network === undefined ? asked : (used?.subnets ?? [])) {
    const range = parseCidr(cidr)
    if (!range) continue
    if (network === undefined && !made) {
      const other = engine.networks.find((entry) =>
        entry.subnets.some((taken) => cidrsOverlap(taken, cidr) && entry.name !== own),
      )
      const route = engine.routes.find((taken) => cidrsOverlap(taken, cidr))
      if (other) found.push(overlap(name, cidr, `the network "${other.name}" (${other.subnets.join(', ')})`))
      else if (route) found.push(overlap(name, cidr, `${route}, which this computer has a route to`))
      const nodes = spec.masters.length + spec.nodes.length
      if (range.last - range.first + 1n < BigInt(nodes + 4))
        found.push(problem('subnet-overlap', name, `${cidr} has too few addresses for ${nodes} nodes`))
    }
    for (const key of CLUSTER_NETWORKS) {
      const inside = clusterNetworks(spec.config, key, dual).find((one) => cidrsOverlap(one, cidr))
      if (inside) found.push(overlap(name, cidr, `${inside} of pods or services (${key})`))
    }
  }
  return found
}

/** The network of `--network`: there, made with subnets of its own, and with the families that are wanted. */
function checkNamed({ spec, engine, name }: EngineCheck, dual: boolean): Problem[] {
  const network = spec.containers?.network
  if (network === undefined) return []
  const used = engine.networks.find((entry) => entry.name === network)
  const ipv6 = dual ? ' --ipv6 --subnet fd00:77::/64' : ''
  const make = `docker network create --subnet 192.168.77.0/24${ipv6}`
  if (!used)
    return [
      problem('network-missing', name, `there is no network "${network}"`, {
        fix: `${make} ${network}; or leave --network out`,
      }),
    ]
  if (dual && !used.subnets.some((cidr) => familyOf(cidr) === 6))
    return [
      problem(
        'network-ipv6',
        name,
        `the network "${network}" has no IPv6 (it has ${used.subnets.join(', ')})`,
        {
          fix: `make one with both: ${make} NAME, then --network NAME; or leave --network or --ip-family dual out`,
        },
      ),
    ]
  if (!engine.automaticNetwork) return []
  return [
    problem(
      'network-automatic',
      name,
      `the network "${network}" was made without ${dual ? 'subnets' : 'a subnet'} of its own, so nodes cannot keep their addresses in it`,
      {
        fix: `make one with ${dual ? 'both' : 'a subnet'}: ${make} NAME, then --network NAME; or leave --network out`,
      },
    ),
  ]
}

function overlap(name: string, cidr: string, other: string): Problem {
  return problem('subnet-overlap', name, `${cidr} overlaps with ${other}`)
}
