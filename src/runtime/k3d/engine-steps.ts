import type { ClusterSpec } from '../../cluster/spec.js'
import { formatBytes } from '../../core/bytes.js'
import type { VolumeBlob } from '../../plan/engine-action.js'
import type { Action, Step } from '../../plan/plan.js'
import type { World } from '../runtime.js'
import { clusterLabels } from './container-config.js'
import { ENGINE, objectNames } from './contract.js'
import { engineOf, type Layout } from './layout.js'
import { addressAt } from './subnet.js'

/** Ids of the steps of the engine itself. */
export const ENGINE_STEPS = {
  network: 'engine/network',
  image: 'engine/image',
  images: 'engine/images',
} as const

/** What the engine needs before any container: the network, the image of the nodes, the images of the rootfs. */
export function engineSteps(spec: ClusterSpec, world: World, layout: Layout): Step[] {
  return [...networkStep(spec, world, layout), ...imageStep(layout), ...imagesStep(spec, world, layout)]
}

/** The network, and the volume that all nodes share: both must be there before a container can be created. */
function networkStep(spec: ClusterSpec, world: World, layout: Layout): Step[] {
  const engine = engineOf(world)
  const { name, external, subnet, subnet6 } = layout.network
  const labels = clusterLabels(spec.name)
  const volume = objectNames.images(spec.name)
  const actions: Action[] = []
  // First: it tells two commands that make a cluster of this name from each other.
  if (!engine.volumes.some((entry) => entry.name === volume))
    actions.push({ kind: 'volume', op: 'create', name: volume, labels })
  if (!external && !engine.networks.some((network) => network.name === name)) {
    const gateway = addressAt(subnet, 1) ?? ''
    const gateway6 = subnet6 === undefined ? undefined : addressAt(subnet6, 1)
    const ipv6 = subnet6 !== undefined && gateway6 !== undefined ? { subnet6, gateway6 } : {}
    actions.push({ kind: 'network', op: 'create', name, subnet, gateway, ...ipv6, labels })
  }
  if (actions.length === 0) return []
  return [
    {
      id: ENGINE_STEPS.network,
      machine: ENGINE,
      title: actions.some((action) => action.kind === 'network')
        ? `make the network ${name} (${subnet6 === undefined ? subnet : `${subnet}, ${subnet6}`})`
        : 'make the volume for images',
      needs: [],
      effect: 'create',
      actions,
    },
  ]
}

function imageStep({ image }: Layout): Step[] {
  if (image.source === 'present') return []
  const { ref, arch } = image
  return [
    {
      id: ENGINE_STEPS.image,
      machine: ENGINE,
      title: image.source === 'pull' ? `pull ${ref}` : 'make the node image from the rootfs',
      needs: [],
      effect: 'create',
      actions: [
        image.source === 'pull'
          ? { kind: 'image', op: 'pull', ref }
          : { kind: 'image', op: 'build', ref, arch },
      ],
    },
  ]
}

function imagesStep(spec: ClusterSpec, world: World, layout: Layout): Step[] {
  const blobs = missingArchives(world, layout)
  if (blobs.length === 0) return []
  const bytes = blobs.reduce((sum, blob) => sum + blob.sizeBytes, 0)
  const needs = [
    ...networkStep(spec, world, layout).map((step) => step.id),
    ...(layout.image.source === 'present' ? [] : [ENGINE_STEPS.image]),
  ]
  return [
    {
      id: ENGINE_STEPS.images,
      machine: ENGINE,
      title: `bring ${blobs.length} image ${blobs.length === 1 ? 'archive' : 'archives'} to the nodes (${formatBytes(bytes)})`,
      needs,
      effect: 'create',
      actions: [
        {
          kind: 'image',
          op: 'fill',
          volume: objectNames.images(spec.name),
          image: layout.image.ref,
          labels: clusterLabels(spec.name),
          blobs,
        },
      ],
    },
  ]
}

/** Archives of the rootfs that the nodes do not have. A node that runs tells what its volume holds. */
function missingArchives(world: World, layout: Layout): VolumeBlob[] {
  if (world.machines.some((machine) => machine.made)) return []
  const { arch } = layout.image
  const files = (world.rootfs?.manifest.files ?? []).filter(
    (file) => file.role === 'images' && (file.arch === undefined || file.arch === arch),
  )
  const listings = world.machines
    .map((machine) => machine.facts.managed.fragments[ARCHIVES])
    .filter((text) => text !== undefined)
  const there = new Set(listings.flatMap((text) => text.split(/\s+/)))
  return files
    .filter((file) => !there.has(file.sha256))
    .map((file) => ({
      sha256: file.sha256,
      sizeBytes: file.size,
      path: file.path.split('/').at(-1) ?? file.path,
    }))
}

/** Name of the probe's fragment that lists the archives of the shared volume by digest. */
export const ARCHIVES = 'k3d-archives'
