import { containerName } from '../container-spec.js'
import type { Role } from '../spec.js'
import type { ContainerView } from './filter.js'

/** A view of the cluster `dev` with so many containers. */
export function viewOf(masters: number, workers: number, loadBalancer = masters > 1): ContainerView {
  const make = (role: Role, count: number) =>
    Array.from({ length: count }, (_, index) => ({ role, index, names: [containerName('dev', role, index)] }))
  return { cluster: 'dev', nodes: [...make('master', masters), ...make('worker', workers)], loadBalancer }
}
