import type { EngineEndpoint, EngineInfo } from './engine.js'

/** Where a fake engine is said to be. */
export function endpointOf(given: Partial<EngineEndpoint> = {}): EngineEndpoint {
  return { url: 'unix:///var/run/docker.sock', source: 'default', local: true, host: '127.0.0.1', ...given }
}

/** What a fake engine says of itself. */
export function infoOf(given: Partial<EngineInfo> = {}): EngineInfo {
  return {
    kind: 'docker',
    version: '27.5.1',
    apiVersion: '1.47',
    arch: 'amd64',
    os: 'linux',
    cgroupVersion: '2',
    rootless: false,
    usernsRemap: false,
    memoryBytes: 16 * 2 ** 30,
    cpus: 8,
    storageDriver: 'overlay2',
    containerdStore: false,
    serverName: 'fake',
    rootDir: '/var/lib/docker',
    gpuReady: false,
    ...given,
  }
}
