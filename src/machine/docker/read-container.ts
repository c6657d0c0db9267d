import type { EngineContainer } from './engine.js'

/** What is read of `GET /containers/NAME/json`; engines leave out what they do not know. */
export interface InspectAnswer {
  readonly Id?: string
  readonly Name?: string
  readonly RestartCount?: number
  readonly State?: { readonly Status?: string; readonly ExitCode?: number; readonly StartedAt?: string }
  readonly Config?: { readonly Image?: string; readonly Labels?: Readonly<Record<string, string>> | null }
  readonly HostConfig?: {
    readonly PortBindings?: Readonly<Record<string, readonly HostBinding[] | null>> | null
    readonly RestartPolicy?: { readonly Name?: string } | null
  }
  readonly NetworkSettings?: {
    readonly Ports?: Readonly<Record<string, readonly HostBinding[] | null>> | null
    readonly Networks?: Readonly<Record<string, NetworkEndpoint | null>> | null
  }
  readonly Mounts?: readonly {
    readonly Type?: string
    readonly Name?: string
    readonly Source?: string
    readonly Destination?: string
  }[]
}

interface HostBinding {
  readonly HostIp?: string
  readonly HostPort?: string
}

interface NetworkEndpoint {
  readonly NetworkID?: string
  readonly IPAddress?: string
  readonly GlobalIPv6Address?: string
  readonly IPAMConfig?: { readonly IPv4Address?: string; readonly IPv6Address?: string } | null
}

/** Podman has more states than Docker. */
const STATES: Readonly<Record<string, EngineContainer['state']>> = {
  created: 'created',
  configured: 'created',
  initialized: 'created',
  running: 'running',
  stopping: 'running',
  paused: 'paused',
  restarting: 'restarting',
  removing: 'removing',
  exited: 'exited',
  stopped: 'exited',
  dead: 'dead',
}

/** Reads the engine's answer of one container. */
export function readContainer(answer: InspectAnswer): EngineContainer {
  const state = STATES[answer.State?.Status ?? ''] ?? 'dead'
  const bound = answer.NetworkSettings?.Ports ?? {}
  // A container that does not run has no ports bound: what counts then is what it was created with.
  const wanted = Object.keys(bound).length > 0 ? bound : (answer.HostConfig?.PortBindings ?? {})
  const restart = answer.HostConfig?.RestartPolicy?.Name
  return {
    id: answer.Id ?? '',
    name: (answer.Name ?? '').replace(/^\//, ''),
    image: answer.Config?.Image ?? '',
    state,
    exitCode: answer.State?.ExitCode ?? 0,
    labels: answer.Config?.Labels ?? {},
    addresses: readAddresses(answer),
    addresses6: readAddresses6(answer),
    networkIds: Object.fromEntries(
      Object.entries(answer.NetworkSettings?.Networks ?? {}).map(([name, endpoint]) => [
        name,
        endpoint?.NetworkID ?? '',
      ]),
    ),
    ports: Object.entries(wanted).flatMap(([key, bindings]) => readPorts(key, bindings ?? [])),
    mounts: (answer.Mounts ?? []).map((mount) => ({
      kind: mount.Type ?? '',
      source: (mount.Type === 'volume' ? mount.Name : mount.Source) ?? '',
      target: mount.Destination ?? '',
    })),
    restarts: answer.RestartCount ?? 0,
    startedAt: answer.State?.StartedAt ?? '',
    // An empty name is the policy "no" of older clients.
    ...(restart === undefined ? {} : { restart: restart || 'no' }),
    raw: answer,
  }
}

function readAddresses(answer: InspectAnswer): Record<string, string> {
  const addresses: Record<string, string> = {}
  for (const [network, endpoint] of Object.entries(answer.NetworkSettings?.Networks ?? {})) {
    const fixed = endpoint?.IPAMConfig
    const address =
      endpoint?.IPAddress ||
      fixed?.IPv4Address ||
      endpoint?.GlobalIPv6Address ||
      fixed?.IPv6Address ||
      undefined
    if (address) addresses[network] = address
  }
  return addresses
}

/** Where IPv6 comes beside IPv4; the only address of an endpoint is among the others. */
function readAddresses6(answer: InspectAnswer): Record<string, string> {
  const networks = Object.entries(answer.NetworkSettings?.Networks ?? {})
  return Object.fromEntries(
    networks.flatMap(([network, endpoint]) => {
      const address = endpoint?.GlobalIPv6Address || endpoint?.IPAMConfig?.IPv6Address
      return address ? [[network, address]] : []
    }),
  )
}

function readPorts(key: string, bindings: readonly HostBinding[]): EngineContainer['ports'] {
  const [port = '', protocol = 'tcp'] = key.split('/')
  if (protocol !== 'tcp' && protocol !== 'udp' && protocol !== 'sctp') return []
  return bindings.map((binding) => ({
    address: binding.HostIp || '0.0.0.0',
    hostPort: Number(binding.HostPort) || 0,
    containerPort: Number(port),
    protocol,
  }))
}
