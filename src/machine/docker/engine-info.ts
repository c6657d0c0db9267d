import type { EngineInfo } from './engine.js'

/** What is read of `GET /version`. */
export interface VersionAnswer {
  readonly Version?: string
  readonly ApiVersion?: string
  readonly MinAPIVersion?: string
  readonly Components?: readonly { readonly Name?: string; readonly Version?: string }[]
}

/** What is read of `GET /info`. */
interface InfoAnswer {
  readonly ServerVersion?: string
  readonly Architecture?: string
  readonly OSType?: string
  readonly CgroupVersion?: string
  readonly SecurityOptions?: readonly string[] | null
  readonly MemTotal?: number
  readonly NCPU?: number
  readonly Driver?: string
  readonly DriverStatus?: readonly (readonly string[])[] | null
  readonly Name?: string
  readonly DockerRootDir?: string
  readonly Runtimes?: Readonly<Record<string, unknown>> | null
  /** Devices that CDI describes: of Docker 28.2 and later. */
  readonly DiscoveredDevices?: readonly unknown[] | null
}

/** Machine names of `uname -m` as Go calls them. */
const ARCHES: Readonly<Record<string, string>> = {
  x86_64: 'amd64',
  aarch64: 'arm64',
  armv7l: 'arm',
  armv6l: 'arm',
  i686: '386',
  ppc64le: 'ppc64le',
}

/** Whether an engine is Docker or speaks like it. */
export function engineKind(version: VersionAnswer): EngineInfo['kind'] {
  return version.Components?.some((one) => /podman/i.test(one.Name ?? '')) ? 'podman' : 'docker'
}

/** Reads what an engine says of itself. Where it was not asked for its version it is Docker. */
export function readInfo(
  version: VersionAnswer | undefined,
  apiVersion: string,
  answer: unknown,
): EngineInfo {
  const info = (answer ?? {}) as InfoAnswer
  const security = (info.SecurityOptions ?? []).join(' ')
  const storage = (info.DriverStatus ?? []).map((pair) => pair.join('='))
  return {
    kind: version ? engineKind(version) : 'docker',
    version: version?.Version ?? info.ServerVersion ?? '',
    apiVersion,
    arch: ARCHES[info.Architecture ?? ''] ?? info.Architecture ?? '',
    os: info.OSType ?? 'linux',
    cgroupVersion: info.CgroupVersion === '2' ? '2' : '1',
    rootless: /name=rootless/.test(security),
    usernsRemap: /name=userns/.test(security),
    memoryBytes: info.MemTotal ?? 0,
    cpus: info.NCPU ?? 0,
    storageDriver: info.Driver ?? '',
    containerdStore: storage.some((pair) => /^driver-type=io\.containerd\.snapshotter/.test(pair)),
    serverName: info.Name ?? '',
    rootDir: info.DockerRootDir ?? '',
    gpuReady:
      Object.keys(info.Runtimes ?? {}).some((name) => /nvidia/i.test(name)) ||
      (info.DiscoveredDevices ?? []).length > 0,
  }
}
