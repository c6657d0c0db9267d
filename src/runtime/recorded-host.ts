import type { NodeSpec } from '../cluster/spec.js'
import { nodeIpOf } from './preflight/node-ip.js'
import type { MachineWorld } from './runtime.js'

/**
 * What the records on machines call a node: the host as it was typed; for this computer its address, since on every other one
 * `local` is somebody else. Pure.
 */
export function recordedHost(node: NodeSpec, machines: readonly MachineWorld[]): string {
  const { kind, text } = node.target
  if (kind !== 'local') return text
  const own = machines.find((machine) => machine.node.target.kind === 'local')
  return (own && nodeIpOf(own.facts)) ?? text
}
