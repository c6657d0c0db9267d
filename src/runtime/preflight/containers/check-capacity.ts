import { sizeText } from '../machine-under-test.js'
import { type Problem, problem } from '../problem.js'
import type { EngineCheck } from './engine-check.js'

const MIB = 1024 ** 2
/** Below this k3s does not start, or is ended by the kernel at once. */
const NEEDED = { master: 512 * MIB, worker: 256 * MIB } as const
/** What a node unpacks of images and of k3s itself, about. */
const DISK_PER_NODE = 600 * MIB
/** The kubelet of k3s taints its node where less is free. */
const FREE_SHARE = 0.05
/** What one node takes of fs.inotify.max_user_instances: kubelet, containerd and the first pods. */
const INOTIFY_PER_NODE = 64
/** And of fs.inotify.max_user_watches, with some room for pods that watch their configuration. */
const WATCHES_PER_NODE = 2048

/** Memory, disk and inotify instances, as far as they can be known. */
export function checkCapacity(input: EngineCheck): Problem[] {
  return [...checkMemory(input), ...checkDisk(input), ...checkInotify(input), ...checkLimits(input)]
}

function checkMemory({ spec, engine, name }: EngineCheck): Problem[] {
  for (const { role, target, container } of [...spec.masters, ...spec.nodes]) {
    const limit = container?.memoryBytes
    if (limit === undefined || limit >= NEEDED[role]) continue
    const message = `--memory gives ${target.host} ${sizeText(limit)}, and k3s needs ${sizeText(NEEDED[role])}`
    return [problem('memory-low', name, message, { fix: 'give more: --memory 2g' })]
  }
  const all = spec.masters.length * NEEDED.master + spec.nodes.length * NEEDED.worker
  if (engine.info.memoryBytes === 0 || engine.info.memoryBytes >= all) return []
  return [
    problem(
      'memory-low',
      name,
      `the engine's computer has ${sizeText(engine.info.memoryBytes)}, and the nodes need ${sizeText(all)}`,
    ),
  ]
}

function checkDisk({ spec, engine, rootfs, name }: EngineCheck): Problem[] {
  const disk = engine.computer?.disk
  if (!disk) return []
  const missing = spec.masters.length + spec.nodes.length - engine.containers.length
  if (missing <= 0) return []
  const files = (rootfs?.files ?? []).filter((file) => file.role === 'images' || file.role === 'binary')
  const shared = files.reduce((sum, file) => sum + file.size, 0)
  const needed = missing * DISK_PER_NODE + shared
  const left = disk.freeBytes - needed
  if (left >= disk.sizeBytes * FREE_SHARE) return []
  const text =
    left < 0
      ? `${disk.path} has ${sizeText(disk.freeBytes)} free, and about ${sizeText(needed)} are needed`
      : `${disk.path} would be more than 95 % full, which makes the nodes refuse pods`
  return [problem('disk-space', name, text, { fix: 'make room: docker system df, docker system prune' })]
}

function checkInotify({ spec, engine, name }: EngineCheck): Problem[] {
  const { inotifyInstances, inotifyWatches } = engine.computer ?? {}
  const nodes = spec.masters.length + spec.nodes.length
  const running = engine.others.filter((other) => other.labels['airlift.role'] !== undefined).length
  const limits = [
    { key: 'max_user_instances', is: inotifyInstances, each: INOTIFY_PER_NODE, fix: 8192 },
    { key: 'max_user_watches', is: inotifyWatches, each: WATCHES_PER_NODE, fix: 524288 },
  ]
  return limits.flatMap(({ key, is, each, fix }) => {
    const needed = (nodes + running) * each
    if (is === undefined || is >= needed) return []
    const message = `fs.inotify.${key} is ${is}, and ${nodes + running} nodes on this computer may need ${needed}`
    return [problem('inotify', name, message, { fix: `sysctl -w fs.inotify.${key}=${fix}` })]
  })
}

/** More processors than there are: Docker refuses it when the container is made. */
function checkLimits({ spec, engine, name }: EngineCheck): Problem[] {
  const cpus = Math.max(0, ...[...spec.masters, ...spec.nodes].map(({ container }) => container?.cpus ?? 0))
  if (engine.info.cpus === 0 || cpus <= engine.info.cpus) return []
  return [
    problem('cores-missing', name, `--cpus ${cpus}, and the engine's computer has ${engine.info.cpus}`, {
      fix: `give at most ${engine.info.cpus}`,
    }),
  ]
}
