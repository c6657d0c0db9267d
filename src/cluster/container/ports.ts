import { isIPv4 } from 'node:net'
import type { ContainerSpec, PortSpec } from '../container-spec.js'
import {
  type ContainerSelection,
  type ContainerView,
  namesBalancerAlone,
  selectContainers,
} from './filter.js'
import { isOptionProblem, type OptionProblem } from './option-problem.js'
import { MAX_PORTS, type PortRequest, parsePort } from './parse-port.js'
import { isSamePort, portText } from './published-ports.js'

/** What is published, or what is wrong with the requests. */
export interface BuiltPorts {
  readonly ports: readonly PortSpec[]
  readonly problems: readonly OptionProblem[]
}

/** What {@link buildPorts} has to know beside the requests. */
export interface PortSurroundings {
  readonly view: ContainerView
  /** The user gave `--no-lb`. */
  readonly balancerRefused: boolean
  /** Where the API is published. */
  readonly api: ContainerSpec['api']
  /** Ports that the load balancer publishes already; one that is asked for again is left out. */
  readonly before?: readonly PortSpec[]
  /** Ports that nodes publish themselves already; one that is asked for again is left out. */
  readonly elsewhere?: readonly PortSpec[]
}

/**
 * Resolves `--port` flags. Without a filter, and at `loadbalancer`, a port leads to every node; at nodes to those; both through the
 * load balancer. Where there is none it is published at the first master, or at the first node of the filter. `:direct` publishes
 * at one node itself. A host port that is asked for twice is refused.
 */
export function buildPorts(texts: readonly string[], around: PortSurroundings): BuiltPorts {
  const problems: OptionProblem[] = []
  const ports: PortSpec[] = []
  const taken = new Taken(around)
  const balanced = new Balanced(around)
  const published = [...(around.before ?? []), ...(around.elsewhere ?? [])]
  for (const text of texts) {
    const request = parsePort(text)
    if (isOptionProblem(request)) {
      problems.push(request)
      continue
    }
    const ways = resolveWays(request, around)
    if (isOptionProblem(ways)) {
      problems.push(ways)
      continue
    }
    if (ports.length + request.pairs.length * ways.length > MAX_PORTS) {
      problems.push({
        message: `"${text}" makes more than ${MAX_PORTS} published ports`,
        hint: 'check the range for a digit too many',
      })
      break
    }
    for (const { hostPort, containerPort } of request.pairs) {
      for (const way of ways) {
        const { address, protocol } = request
        const port: PortSpec = { address, hostPort, containerPort, protocol, ...way }
        if (published.some((entry) => isSamePort(port, entry))) continue
        const elsewhere = balanced.add(port, `"${text}"`, around.view)
        if (elsewhere !== undefined) {
          problems.push({
            message: `port ${containerPort} of "${text}" is led to other nodes by ${elsewhere}`,
            hint: 'name the same nodes in both, or one node with :direct',
          })
          continue
        }
        const other = taken.add(port, text)
        if (other === undefined) ports.push(port)
        else
          problems.push({
            message: `port ${hostPort} of "${text}" is taken by ${other}`,
            hint: 'give each port of this computer once',
          })
      }
    }
  }
  return { ports, problems: firstPerRange(problems) }
}

/** Where the ports of the load balancer lead to: it has each once, with one list of nodes. */
class Balanced {
  readonly #byPort = new Map<string, { nodes: string; by: string }>()

  constructor(around: PortSurroundings) {
    for (const port of around.before ?? [])
      this.add(port, `${portText(port)}, which is published`, around.view)
  }

  /** Who leads the port to other nodes already; otherwise remembers it. */
  add(port: PortSpec, by: string, view: ContainerView): string | undefined {
    if (port.via !== 'proxy' || !view.loadBalancer) return undefined
    const key = `${port.containerPort}/${port.protocol}`
    const nodes = port.nodes.join()
    const other = this.#byPort.get(key)
    if (other !== undefined && other.nodes !== nodes) return other.by
    this.#byPort.set(key, { nodes, by })
    return undefined
  }
}

/** A range that overlaps another is one mistake, not a thousand. */
function firstPerRange(problems: readonly OptionProblem[]): OptionProblem[] {
  const seen = new Set<string>()
  return problems.filter(({ message }) => {
    const key = message.replace(/^port \d+ of/, 'port of')
    if (seen.has(key)) return false
    seen.add(key)
    return true
  })
}

type Way = Pick<PortSpec, 'via' | 'nodes' | 'group'>

function resolveWays(request: PortRequest, around: PortSurroundings): Way[] | OptionProblem {
  const { view, balancerRefused } = around
  const name = (place: number): string => view.nodes[place]?.names[0] ?? ''
  const everywhere = view.nodes.map((_, place) => place)
  const selected = request.filter === undefined ? undefined : selectContainers(request.filter, view)
  if (selected && isOptionProblem(selected)) {
    return { message: `${selected.message}, in "${request.text}"`, hint: selected.hint }
  }
  if (selected && namesBalancerAlone(selected) && balancerRefused) {
    return {
      message: `the filter "${request.filter}" matches nothing: there is no load balancer with --no-lb, in "${request.text}"`,
      hint: 'name a node, such as @masters:0:direct, or leave --no-lb out',
    }
  }
  const proxied = selected === undefined || selected.loadBalancer ? everywhere : selected.proxied
  const direct = selected?.direct ?? []
  if (direct.length > 1 && request.pairs.some(({ hostPort }) => hostPort > 0)) {
    return {
      message: `"${request.text}" publishes one port at ${direct.length} nodes`,
      hint: 'with :direct name one node, or leave the port of this computer out',
    }
  }
  const ways: Way[] = direct.map((place) => ({ via: 'direct', nodes: [name(place)] }))
  const [first] = proxied
  if (first === undefined) return ways
  const atFirstMaster = first === 0 && view.nodes[first]?.role === 'master'
  const through: Way =
    view.loadBalancer || atFirstMaster
      ? { via: 'proxy', nodes: proxied.map(name), ...groupOf(request, selected, proxied, view) }
      : { via: 'direct', nodes: [name(first)] }
  return [through, ...ways]
}

/** The kind of nodes that a port leads to, where it was asked for by kind and not by numbers or names. */
function groupOf(
  { filter = '' }: PortRequest,
  selected: ContainerSelection | undefined,
  proxied: readonly number[],
  view: ContainerView,
): Pick<PortSpec, 'group'> {
  if (selected === undefined || selected.loadBalancer) return { group: 'all' }
  if (/\d/.test(filter)) return {}
  const masters = view.nodes.filter((node) => node.role === 'master').length
  const roles = new Set(proxied.map((place) => view.nodes[place]?.role))
  if (roles.size === 2) return proxied.length === view.nodes.length ? { group: 'all' } : {}
  if (roles.has('master')) return proxied.length === masters ? { group: 'masters' } : {}
  return proxied.length === view.nodes.length - masters ? { group: 'workers' } : {}
}

/** Ports of the engine's computer that are given away, by number and protocol. */
class Taken {
  readonly #byPort = new Map<string, { address: string; by: string }[]>()

  constructor(around: PortSurroundings) {
    const { api, before = [], elsewhere = [] } = around
    if (api.port !== undefined) this.#put(`${api.port}/tcp`, api.address, '--api-port')
    for (const port of [...before, ...elsewhere])
      this.#put(`${port.hostPort}/${port.protocol}`, port.address, `${portText(port)}, which is published`)
  }

  /** Who has the port already; otherwise takes it. Port 0 is never taken. */
  add(port: PortSpec, text: string): string | undefined {
    if (port.hostPort === 0) return undefined
    const key = `${port.hostPort}/${port.protocol}`
    const other = this.#byPort.get(key)?.find(({ address }) => sameAddress(address, port.address))
    if (other) return other.by
    this.#put(key, port.address, `"${text}"`)
    return undefined
  }

  #put(key: string, address: string, by: string): void {
    this.#byPort.set(key, [...(this.#byPort.get(key) ?? []), { address, by }])
  }
}

/** All addresses of a family overlap each single one of it; the engine binds the families apart. */
function sameAddress(a: string, b: string): boolean {
  if (isIPv4(a) !== isIPv4(b)) return false
  const all = isIPv4(a) ? '0.0.0.0' : '::'
  return a === b || a === all || b === all
}
