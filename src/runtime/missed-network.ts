import { recordOfLabels } from '../cluster/container-labels.js'
import type { EngineContainer } from '../machine/docker/engine.js'

/** The network that a container which runs was taken off, as `docker network disconnect` does; undefined where it is in it. */
export function missedNetwork({ labels, networkIds, state }: EngineContainer): string | undefined {
  const network = recordOfLabels(labels)?.network
  if (network === undefined || state !== 'running' || !networkIds) return undefined
  return networkIds[network] === undefined ? network : undefined
}
