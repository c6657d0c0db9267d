import type { ClusterSpec } from '../../cluster/spec.js'
import type { Engine } from '../../machine/docker/engine.js'
import { wasStarted } from '../../machine/docker/was-started.js'
import { KEPT_INITIALIZED } from '../../machine/state-paths.js'
import type { EngineWorld } from '../runtime.js'
import { CONTAINER } from './contract.js'

/** What the probe would tell of a master that does not run, as far as the engine lets its files be seen; by container. */
export type KeptState = ReadonlyMap<string, Readonly<Record<string, string>>>

/**
 * Where masters that do not run keep their data. It is only asked when another master is to be made, which that decides: a
 * second one cannot share SQLite, and k3s would turn it into etcd as soon as it starts.
 */
export async function keptState(spec: ClusterSpec, world: EngineWorld, engine: Engine): Promise<KeptState> {
  const known = new Map(world.containers.map((container) => [container.name, container]))
  const masters = spec.masters.map((node) => node.target.host)
  if (masters.every((name) => known.has(name))) return new Map()
  const stopped = masters.filter((name) => {
    const container = known.get(name)
    return container !== undefined && container.state !== 'running' && wasStarted(container)
  })
  const told = stopped.map(async (name) => {
    const [initialized, etcd, sqlite] = await Promise.all([
      engine.hasPath(name, KEPT_INITIALIZED),
      engine.hasPath(name, `${CONTAINER.dataDir}/server/db/etcd`),
      engine.hasPath(name, `${CONTAINER.dataDir}/server/db/state.db`),
    ])
    const datastore = [...(etcd ? ['etcd'] : []), ...(sqlite ? ['sqlite'] : [])].join('\n')
    return [name, { 'k3s-initialized': initialized ? 'yes' : '', 'k3s-datastore': datastore }] as const
  })
  return new Map(await Promise.all(told))
}
