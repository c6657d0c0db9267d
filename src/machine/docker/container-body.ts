import { familyOf } from '../../core/cidr.js'
import type { ContainerConfig } from './engine.js'

/** The body of `POST /containers/create`, as far as airlift fills it. */
export interface ContainerBody {
  readonly Image: string
  readonly Hostname: string
  readonly Entrypoint?: readonly string[]
  readonly Cmd?: readonly string[]
  readonly Env: readonly string[]
  readonly Labels: Readonly<Record<string, string>>
  readonly StopTimeout: number
  readonly ExposedPorts: Readonly<Record<string, object>>
  readonly HostConfig: ContainerHostConfig
  readonly NetworkingConfig?: {
    readonly EndpointsConfig: Readonly<
      Record<string, { readonly IPAMConfig?: Readonly<Record<string, string>> }>
    >
  }
}

/** The part of a body that is about the engine's computer. */
export interface ContainerHostConfig {
  readonly Privileged: boolean
  readonly CapAdd: readonly string[]
  readonly Sysctls: Readonly<Record<string, string>>
  readonly Tmpfs: Readonly<Record<string, string>>
  /** The older way to say a mount, and the only one for a path that need not be there. */
  readonly Binds: readonly string[]
  readonly Mounts: readonly {
    readonly Type: 'bind' | 'volume'
    readonly Source: string
    readonly Target: string
    readonly ReadOnly: boolean
    readonly BindOptions?: { readonly Propagation: string }
  }[]
  readonly PortBindings: Readonly<Record<string, { HostIp: string; HostPort: string }[]>>
  readonly NetworkMode: string
  readonly ExtraHosts: readonly string[]
  readonly RestartPolicy: { readonly Name: string }
  readonly Memory?: number
  readonly NanoCpus?: number
  readonly DeviceRequests?: readonly {
    readonly Driver: string
    readonly Count: number
    readonly DeviceIDs: readonly string[]
    readonly Capabilities: readonly (readonly string[])[]
  }[]
  readonly Ulimits: readonly { readonly Name: string; readonly Soft: number; readonly Hard: number }[]
  readonly UsernsMode?: string
}

/** Network modes that are no networks: a container in them has neither an address of its own nor published ports. */
const MODES = new Set(['host', 'none', 'bridge', 'default'])

/** What an endpoint in a network says of the addresses that it is to have; nothing where there are none. */
export function fixedAddresses(addresses: readonly (string | undefined)[]): {
  readonly IPAMConfig?: Readonly<Record<string, string>>
} {
  const fixed = addresses.filter((address) => address !== undefined)
  if (fixed.length === 0) return {}
  return {
    IPAMConfig: Object.fromEntries(fixed.map((address) => [`IPv${familyOf(address)}Address`, address])),
  }
}

/** Writes a container down as the engine's API wants it. */
export function containerBody(config: ContainerConfig): ContainerBody {
  const own = !MODES.has(config.network)
  const ipam = fixedAddresses([config.address, config.address6])
  const bindings = portBindings(config)
  return {
    Image: config.image,
    Hostname: config.hostname,
    ...(config.entrypoint.length > 0 ? { Entrypoint: config.entrypoint } : {}),
    ...(config.command.length > 0 ? { Cmd: config.command } : {}),
    Env: Object.entries(config.env).map(([key, value]) => `${key}=${value}`),
    Labels: config.labels,
    StopTimeout: config.stopTimeoutSeconds,
    ExposedPorts: Object.fromEntries(Object.keys(bindings).map((port) => [port, {}])),
    HostConfig: {
      Privileged: config.privileged,
      CapAdd: config.capabilities,
      Sysctls: config.sysctls,
      Tmpfs: config.tmpfs,
      Binds: config.mounts
        .filter((mount) => mount.optional)
        .map(({ source, target, readOnly }) => `${source}:${target}${readOnly ? ':ro' : ''}`),
      Mounts: config.mounts
        .filter((mount) => !mount.optional)
        .map((mount) => ({
          Type: mount.kind,
          Source: mount.source,
          Target: mount.target,
          ReadOnly: mount.readOnly,
          ...(mount.propagation ? { BindOptions: { Propagation: mount.propagation } } : {}),
        })),
      PortBindings: bindings,
      NetworkMode: config.network,
      ExtraHosts: config.extraHosts,
      ...(config.dns ? { Dns: config.dns } : {}),
      RestartPolicy: { Name: config.restart },
      ...(config.memoryBytes ? { Memory: config.memoryBytes } : {}),
      ...(config.cpus ? { NanoCpus: Math.round(config.cpus * 1e9) } : {}),
      ...(config.gpus
        ? {
            DeviceRequests: [
              {
                Driver: config.gpus.driver ?? '',
                // The engine refuses a count beside ids.
                Count: config.gpus.ids.length > 0 ? 0 : config.gpus.count,
                DeviceIDs: config.gpus.ids,
                Capabilities: [config.gpus.capabilities],
              },
            ],
          }
        : {}),
      Ulimits: config.ulimits.map(({ name, soft, hard }) => ({ Name: name, Soft: soft, Hard: hard })),
      ...(config.usernsMode ? { UsernsMode: config.usernsMode } : {}),
    },
    ...(own ? { NetworkingConfig: { EndpointsConfig: { [config.network]: ipam } } } : {}),
  }
}

function portBindings(config: ContainerConfig): Record<string, { HostIp: string; HostPort: string }[]> {
  const bindings: Record<string, { HostIp: string; HostPort: string }[]> = {}
  for (const port of config.ports) {
    const key = `${port.containerPort}/${port.protocol}`
    bindings[key] ??= []
    bindings[key].push({ HostIp: port.address, HostPort: port.hostPort === 0 ? '' : String(port.hostPort) })
  }
  return bindings
}
