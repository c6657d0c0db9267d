import { LABELS, recordOfLabels } from '../../cluster/container-labels.js'
import type { ClusterSpec, NodeSpec } from '../../cluster/spec.js'
import { AirliftError } from '../../core/errors.js'
import { wasStarted } from '../../machine/docker/was-started.js'
import { hasLeft } from '../has-left.js'
import { machineOf } from '../k3s/first-master.js'
import type { World } from '../runtime.js'
import { containerOf, engineOf } from './layout.js'

/**
 * The master that founded the cluster or will found it; undefined when it is gone and others carry the cluster on. Those that
 * join are started only when the founder listens: one that was ever started proves that there is a cluster already. One that the
 * cluster has taken out since is none: it joins through others, if at all.
 */
export function founderOf(spec: ClusterSpec, world: World): NodeSpec | undefined {
  const marked = spec.masters.find(
    ({ target: { host } }) =>
      recordOfLabels(containerOf(world, host)?.labels ?? {})?.founder && !hasLeft(world, host),
  )
  if (marked) return marked
  const carried = engineOf(world).containers.some(
    (container) => container.labels[LABELS.role] === 'master' && wasStarted(container),
  )
  if (carried) return undefined
  const [first] = spec.masters
  if (first) return first
  throw new AirliftError('E_USAGE', 'a cluster needs a master', { hint: 'ask for one: --masters 1' })
}

/** The master that joining nodes wait for, and join through where there is no load balancer. */
export function entryOf(spec: ClusterSpec, world: World): NodeSpec {
  const answering = spec.masters.find((node) => machineOf(world, node).installed.apiReady)
  const entry =
    answering ??
    founderOf(spec, world) ??
    spec.masters.find(
      ({ target: { host } }) => containerOf(world, host) !== undefined && !hasLeft(world, host),
    )
  if (entry) return entry
  throw new AirliftError('E_USAGE', 'a cluster needs a master', { hint: 'ask for one: --masters 1' })
}

/** Whether the cluster is only being created: no master of it was ever seen ready. */
export function isNew(spec: ClusterSpec, world: World): boolean {
  return spec.masters.every((node) => {
    const { installed } = machineOf(world, node)
    return !installed.initialized && !installed.apiReady
  })
}
