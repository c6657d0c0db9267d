import type { ClusterSpec } from './spec.js'

/** Whether the user waits for nodes to be Ready; otherwise that they are not yet says nothing. */
export function waitsForNodes({ wait }: Pick<ClusterSpec, 'wait'>): boolean {
  return wait === 'nodes' || wait === 'system'
}
