import { recordOfLabels } from '../../cluster/container-labels.js'
import type { World } from '../runtime.js'
import { containerOf, engineOf } from './layout.js'

/**
 * The volumes that go with one container: its data, and what was made for it alone, also where the container is gone already.
 * What another container has mounted stays, and so does every volume that the user named: only volumes with the label of the
 * cluster are looked at, which airlift gives to those whose names begin with `airlift-NAME-`. Pure.
 */
export function ownVolumes(world: World, name: string): string[] {
  const { containers, others, temporary, volumes } = engineOf(world)
  const found = containerOf(world, name)
  const mounts = (found && recordOfLabels(found.labels)?.mounts) ?? []
  const mounted = new Set(mounts.flatMap(({ kind, source }) => (kind === 'volume' ? [source] : [])))
  const elsewhere = new Set(
    [...containers, ...others, ...(temporary ?? [])]
      .filter((container) => container.name !== name)
      .flatMap((container) => container.mounts.map(({ source }) => source)),
  )
  return volumes
    .map((volume) => volume.name)
    .filter((volume) => volume === name || volume.startsWith(`${name}-`) || mounted.has(volume))
    .filter((volume) => !elsewhere.has(volume))
}
