import { LABELS } from '../cluster/container-labels.js'
import type { ContainerConfig } from '../machine/docker/engine.js'

/** What a container is needed for, for a moment. */
export interface HelperContainer extends Pick<ContainerConfig, 'name' | 'image' | 'entrypoint'> {
  /** Told by its label, by which it is found when nobody could remove it: `fill`, `unpack`. */
  readonly purpose: string
  readonly command?: ContainerConfig['command']
  readonly labels?: ContainerConfig['labels']
  readonly mounts?: ContainerConfig['mounts']
}

/** A container without a network, rights or a second life. */
export function helperContainer({ purpose, labels, ...own }: HelperContainer): ContainerConfig {
  return {
    hostname: 'airlift',
    command: [],
    env: {},
    labels: { ...labels, [LABELS.temporary]: purpose },
    privileged: false,
    capabilities: [],
    sysctls: {},
    tmpfs: {},
    mounts: [],
    ports: [],
    network: 'none',
    extraHosts: [],
    restart: 'no',
    stopTimeoutSeconds: 1,
    ulimits: [],
    ...own,
  }
}
