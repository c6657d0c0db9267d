import { overlaps, parseCidr } from '../cidr.js'
import { configText } from '../machine-under-test.js'
import { type Problem, problem } from '../problem.js'
import type { EngineCheck } from './check-containers.js'

/** The network that the user names, against the engine's others, the routes of its computer, and those of pods and services. */
export function checkSubnet({ spec, engine, name }: EngineCheck): Problem[] {
  const { network, subnet } = spec.containers ?? {}
  const found: Problem[] = []
  const used = engine.networks.find((entry) => entry.name === network)
  if (network !== undefined && !used)
    found.push(
      problem('network-missing', name, `there is no network "${network}"`, {
        fix: `docker network create --subnet 192.168.77.0/24 ${network}; or leave --network out`,
      }),
    )
  if (network !== undefined && used && engine.automaticNetwork)
    found.push(
      problem(
        'network-automatic',
        name,
        `the network "${network}" was made without a subnet of its own, so nodes cannot keep their addresses in it`,
        {
          fix: `make one with a subnet: docker network create --subnet 192.168.77.0/24 NAME, then --network NAME; or leave --network out`,
        },
      ),
    )
  const own = `airlift-${spec.name}`
  const made = engine.networks.some((entry) => entry.name === own)
  for (const cidr of subnet === undefined ? (used?.subnets ?? []) : [subnet]) {
    const range = parseCidr(cidr)
    if (!range) continue
    if (subnet !== undefined && !made) {
      const other = engine.networks.find((entry) =>
        entry.subnets.some((taken) => meets(taken, cidr) && entry.name !== own),
      )
      const route = engine.routes.find((taken) => meets(taken, cidr))
      if (other) found.push(overlap(name, cidr, `the network "${other.name}" (${other.subnets.join(', ')})`))
      else if (route) found.push(overlap(name, cidr, `${route}, which this computer has a route to`))
      const nodes = spec.masters.length + spec.nodes.length
      if (range.family === 4 && range.last - range.first + 1n < BigInt(nodes + 4))
        found.push(problem('subnet-overlap', name, `${cidr} has too few addresses for ${nodes} nodes`))
    }
    for (const [key, fallback] of CLUSTER_NETWORKS) {
      const inside = configText(spec, key) ?? fallback
      if (meets(inside, cidr)) found.push(overlap(name, cidr, `${inside} of pods or services (${key})`))
    }
  }
  return found
}

/** k3s' defaults. */
const CLUSTER_NETWORKS = [
  ['cluster-cidr', '10.42.0.0/16'],
  ['service-cidr', '10.43.0.0/16'],
] as const

function meets(a: string, b: string): boolean {
  const [one, two] = [parseCidr(a), parseCidr(b)]
  return one !== undefined && two !== undefined && overlaps(one, two)
}

function overlap(name: string, cidr: string, other: string): Problem {
  return problem('subnet-overlap', name, `${cidr} overlaps with ${other}`)
}
