import type { ContainerConfig } from './engine.js'

/** A container with nothing special. */
export function container(over: Partial<ContainerConfig> & { readonly name: string }): ContainerConfig {
  return {
    image: 'img',
    hostname: over.name,
    entrypoint: [],
    command: [],
    env: {},
    labels: { 'airlift.test': 'yes' },
    privileged: false,
    capabilities: [],
    sysctls: {},
    tmpfs: {},
    mounts: [],
    ports: [],
    network: 'bridge',
    extraHosts: [],
    restart: 'no',
    stopTimeoutSeconds: 1,
    ulimits: [],
    ...over,
  }
}
