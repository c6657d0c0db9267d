import { nodeOfLabels, recordOfLabels } from '../../cluster/container-labels.js'
import type { Engine, EngineContainer } from '../../machine/docker/engine.js'
import { ETCD_TOMBSTONE } from '../k3s/paths.js'

/** Names of masters that etcd has put out, as k3s notes in their data. The first master may be started so, and ends each time. */
export async function findLeft(containers: readonly EngineContainer[], engine: Engine): Promise<string[]> {
  const asked = containers.filter(
    ({ labels, state }) =>
      nodeOfLabels(labels)?.role === 'master' &&
      state !== 'created' &&
      (state !== 'running' || recordOfLabels(labels)?.founder),
  )
  const left = await Promise.all(
    asked.map(({ name }) => engine.hasPath(name, ETCD_TOMBSTONE).catch(() => false)),
  )
  return asked.flatMap(({ name }, index) => (left[index] ? [name] : []))
}
