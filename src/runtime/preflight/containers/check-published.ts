import type { PortSpec } from '../../../cluster/container-spec.js'
import type { EngineContainer } from '../../../machine/docker/engine.js'
import { type Problem, problem } from '../problem.js'
import type { EngineCheck } from './engine-check.js'

type Bound = Pick<PortSpec, 'address' | 'protocol'> & { readonly port: number; readonly flag: string }

/** Ports that are to be published and that somebody has: another container, or a program of the engine's computer. */
export function checkPublished({ spec, engine, name }: EngineCheck): Problem[] {
  const found = (engine.computer?.foreignAddresses ?? []).map((address) =>
    problem('address-missing', name, `${address} is no address of the engine's computer`),
  )
  for (const wanted of wantedPorts(spec.containers)) {
    const publishers = engine.others.filter((other) =>
      other.ports.some(
        (port) =>
          port.hostPort === wanted.port &&
          port.protocol === wanted.protocol &&
          sameAddress(port.address, wanted.address),
      ),
    )
    const container = publishers.find(holdsPorts)
    const busy = engine.computer?.busyPorts.some(
      (port) => port.port === wanted.port && port.protocol === wanted.protocol,
    )
    if (!container && !busy) {
      const stopped = publishers[0]
      if (stopped) found.push(wouldMeet(name, wanted, stopped.name))
      continue
    }
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

/** One that does not run has only asked for its ports: the engine gives them out when a container starts. */
function holdsPorts({ state }: EngineContainer): boolean {
  return state === 'running' || state === 'paused' || state === 'restarting'
}

function wouldMeet(name: string, { port, protocol, flag }: Bound, container: string): Problem {
  return problem(
    'port-in-use',
    name,
    `port ${port}/${protocol} (${flag}) is also that of ${container}, which does not run: only one of the two can`,
    { severity: 'warning', fix: `choose another port if ${container} is to be started again` },
  )
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
