import type { ContainerBody } from './container-body.js'
import type { ContainerConfig, EngineContainer } from './engine.js'
import type { FakeFile } from './fake-files.js'
import type { InspectAnswer } from './read-container.js'

/** A container of a fake engine, as it remembers it. */
export interface FakeContainer {
  readonly id: string
  name: string
  config: ContainerConfig
  readonly body: ContainerBody
  state: EngineContainer['state']
  exitCode: number
  startedAt: string
  restarts: number
  /** Of the network that it was last started in; empty before. */
  networkId: string
  /** While it runs. */
  address: string
  /** While it runs, in a network of both families. */
  address6: string
  /** While it runs; with the ports that the engine chose. */
  ports: EngineContainer['ports']
  /** Its own files; those of its volumes are with the volumes. */
  readonly files: Map<string, FakeFile>
  logs: string
  readonly waiters: ((code: number) => void)[]
}

/** The answer that the engine's API would give for a container. */
export function inspectAnswer(container: FakeContainer, imageEnv: readonly string[]): InspectAnswer {
  const { body, config } = container
  const ports: Record<string, { HostIp: string; HostPort: string }[]> = {}
  for (const port of container.ports) {
    const key = `${port.containerPort}/${port.protocol}`
    ports[key] ??= []
    ports[key].push({ HostIp: port.address, HostPort: String(port.hostPort) })
  }
  const answer = {
    Id: container.id,
    Name: `/${container.name}`,
    RestartCount: container.restarts,
    State: {
      Status: container.state,
      Running: container.state === 'running',
      ExitCode: container.exitCode,
      StartedAt: container.startedAt,
    },
    Config: {
      Image: config.image,
      Labels: config.labels,
      Hostname: config.hostname,
      Env: [...body.Env, ...imageEnv],
      Entrypoint: config.entrypoint,
      Cmd: config.command,
      StopTimeout: config.stopTimeoutSeconds,
    },
    HostConfig: { ...body.HostConfig, RestartPolicy: { Name: config.restart } },
    NetworkSettings: {
      Ports: ports,
      Networks: {
        [config.network]: {
          NetworkID: container.networkId,
          IPAddress: container.address,
          ...(container.address6 ? { GlobalIPv6Address: container.address6 } : {}),
          IPAMConfig: body.NetworkingConfig?.EndpointsConfig[config.network]?.IPAMConfig ?? null,
        },
      },
    },
    Mounts: config.mounts.map((mount) => ({
      Type: mount.kind,
      ...(mount.kind === 'volume' ? { Name: mount.source } : { Source: mount.source }),
      Destination: mount.target,
      RW: !mount.readOnly,
    })),
  }
  return answer
}

/** The volume that a path of a container lies in, with the path inside of it. */
export function volumeOf(
  config: ContainerConfig,
  path: string,
): { readonly volume: string; readonly inside: string } | undefined {
  const mount = config.mounts
    .filter((one) => one.kind === 'volume' && (path === one.target || path.startsWith(`${one.target}/`)))
    .sort((a, b) => b.target.length - a.target.length)[0]
  return mount && { volume: mount.source, inside: path.slice(mount.target.length) || '/' }
}
