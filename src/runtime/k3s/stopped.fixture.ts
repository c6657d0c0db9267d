import type { ClusterSpec } from '../../cluster/spec.js'
import type { InstalledState, MachineWorld, NodeStatus, World } from '../runtime.js'
import { testMachine, testWorld } from './world.fixture.js'

/** A cluster as it is found, running or stopped; `change` alters what was found on the machine with the index. */
export function cluster(
  spec: ClusterSpec,
  running: boolean,
  change: (index: number) => {
    installed?: Partial<InstalledState>
    fragments?: Record<string, string>
    node?: Partial<NodeStatus>
  } = () => ({}),
): World {
  const all = [...spec.masters, ...spec.nodes]
  const nodes = all.map(
    (node, i): NodeStatus => ({
      name: `bare${i + 1}`,
      role: node.role,
      ready: true,
      version: 'v1.33.1+k3s1',
      address: node.target.host,
      message: '',
      ...change(i).node,
    }),
  )
  const machines = all.map((node, i): MachineWorld => {
    const master = node.role === 'master'
    const installed: Partial<InstalledState> = {
      cluster: spec.name,
      role: node.role,
      active: running,
      initialized: true,
      apiReady: running && master,
      ...(running && master ? { nodes } : {}),
      ...change(i).installed,
    }
    const fragments = {
      'k3s-datastore': master ? (spec.masters.length > 1 ? 'etcd\n' : 'sqlite\n') : '',
      'k3s-pods': running ? 'running\n' : '',
      ...change(i).fragments,
    }
    return testMachine(node, `bare${i + 1}`, { fragments }, installed)
  })
  return testWorld(spec, { machines })
}
