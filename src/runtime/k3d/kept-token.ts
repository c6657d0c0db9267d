import { randomBytes } from 'node:crypto'
import type { ClusterSpec } from '../../cluster/spec.js'
import type { Engine } from '../../machine/docker/engine.js'
import { helperContainer } from '../../rootfs/helper-container.js'
import { readContainerFile } from '../../rootfs/tar/read-container-file.js'
import { K3S } from '../k3s/paths.js'
import type { EngineWorld } from '../runtime.js'
import { clusterLabels } from './container-config.js'
import { CONTAINER, objectNames } from './contract.js'

/** The token that any node of the cluster has, also one that does not run, or else the data of a master without a container. */
export async function keptToken(
  spec: ClusterSpec,
  world: EngineWorld,
  engine: Engine,
): Promise<string | undefined> {
  for (const container of world.containers) {
    if (container.labels['airlift.role'] === 'lb') continue
    const token = passwordOf(await readContainerFile(engine, container.name, K3S.tokenFile))
    if (token) return token
  }
  const [image] = world.images.keys()
  const masters = spec.masters.map(({ target }) => objectNames.data(target.host))
  const kept = masters.filter((name) => world.volumes.some((volume) => volume.name === name))
  for (const volume of image === undefined ? [] : kept) {
    const token = passwordOf(await readFromVolume(spec, engine, { volume, image: `${image}` }))
    if (token) return token
  }
  return undefined
}

/** The bare password of a token, which may name the cluster's CA. */
function passwordOf(content: Buffer | undefined): string {
  return (content?.toString('utf8') ?? '').trim().replace(/^K10[0-9a-f]+::[a-z]+:/, '')
}

/** Engines show files of containers, and of no volume: a container that never starts has it for a moment. */
async function readFromVolume(
  spec: ClusterSpec,
  engine: Engine,
  { volume, image }: { readonly volume: string; readonly image: string },
): Promise<Buffer | undefined> {
  const name = `airlift-${spec.name}-token-${randomBytes(4).toString('hex')}`
  await engine.createContainer(
    helperContainer({
      name,
      image,
      purpose: 'token',
      entrypoint: ['/bin/true'],
      labels: clusterLabels(spec.name),
      mounts: [{ kind: 'volume', source: volume, target: CONTAINER.dataDir, readOnly: true }],
    }),
  )
  try {
    return await readContainerFile(engine, name, `${CONTAINER.dataDir}/server/token`)
  } finally {
    await engine.removeContainer(name, { force: true })
  }
}
