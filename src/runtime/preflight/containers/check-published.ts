import type { PortSpec } from '../../../cluster/container-spec.js'
import { type Problem, problem } from '../problem.js'
import type { EngineCheck } from './check-containers.js'

type Bound = Pick<PortSpec, 'address' | 'protocol'> & { readonly port: number; readonly flag: string }

/** Ports that are to be published and that somebody has: another container, or a program of the engine's computer. */
export function checkPublished({ spec, engine, name }: EngineCheck): Problem[] {
  const found: Problem[] = []
  for (const wanted of wantedPorts(spec.containers)) {
    const container = engine.others.find((other) =>
      other.ports.some(
        (port) =>
          port.hostPort === wanted.port &&
          port.protocol === wanted.protocol &&
          sameAddress(port.address, wanted.address),
      ),
    )
    const busy = engine.computer?.busyPorts.some(
      (port) => port.port === wanted.port && port.protocol === wanted.protocol,
    )
    if (!container && !busy) continue
    const who = container ? `the container ${container.name}` : 'another program'
    found.push(
      problem(
        'port-in-use',
        name,
        `port ${wanted.port}/${wanted.protocol} (${wanted.flag}) is taken by ${who}`,
        {
          fix: container
            ? `choose another port, or stop it: docker stop ${container.name}`
            : `choose another port, or find the program: ss -lnp | grep :${wanted.port}`,
        },
      ),
    )
  }
  return found
}

function wantedPorts(containers: EngineCheck['spec']['containers']): Bound[] {
  if (!containers) return []
  const { api, ports } = containers
  return [
    ...(api.port === undefined
      ? []
      : [{ address: api.address, protocol: 'tcp' as const, port: api.port, flag: '--api-port' }]),
    ...ports
      .filter((port) => port.hostPort !== 0)
      .map(({ address, protocol, hostPort }) => ({ address, protocol, port: hostPort, flag: '--port' })),
  ]
}

/** A wildcard bind meets every address of the same family. */
function sameAddress(a: string, b: string): boolean {
  const wild = (address: string): boolean => address === '' || address === '0.0.0.0' || address === '::'
  return a === b || wild(a) || wild(b)
}
