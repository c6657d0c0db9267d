import { createHash } from 'node:crypto'
import type { ClusterSpec } from '../../cluster/spec.js'
import { Secret } from '../../core/secret.js'
import type { ManagedFacts } from '../../machine/facts/facts.js'
import { fillSecrets } from '../../plan/fill-secrets.js'
import { mergePlans, type Plan } from '../../plan/plan.js'
import type { InstalledState, MachineWorld, World } from '../runtime.js'
import { desiredState } from './desired.js'
import { createK3sRuntime } from './runtime.js'
import { testMachine } from './world.fixture.js'

const runtime = createK3sRuntime()

/** The plan of a run. */
export function planAll(spec: ClusterSpec, world: World): Plan {
  return mergePlans(
    runtime.init(spec, world),
    runtime.joinMasters(spec, world, spec.masters),
    runtime.joinNodes(spec, world, spec.nodes),
  )
}

/** The same world after everything was done: what `observe` would find. */
export function settled(spec: ClusterSpec, world: World): World {
  const secrets = new Map([...world.secrets, ['join-token', new Secret('K10aa::server:0123456789abcdef')]])
  const [first] = world.machines
  const full = { ...world, secrets }
  const nodes = world.machines.map((machine) => ({
    name: machine.facts.hostname,
    role: machine.node.role,
    ready: true,
    version: 'v1.33.1+k3s1',
    address: machine.node.target.host,
    message: '',
  }))
  const machines = world.machines.map((machine): MachineWorld => {
    const join = machine === first ? undefined : first
    const desired = desiredState(spec, full, machine.node, machine, join)
    const managed: Partial<ManagedFacts> = {
      blobs: desired.links.map((link) => ({ sha256: link.file.sha256, sizeBytes: link.file.size })),
      files: [
        ...desired.links.map((link) => ({
          path: link.path,
          mode: link.mode,
          sizeBytes: link.file.size,
          blob: link.file.sha256,
        })),
        ...desired.files.map((file) => {
          const bytes = Buffer.from(fillSecrets(file.content, secrets), file.base64 ? 'base64' : 'utf8')
          return {
            path: file.path,
            mode: file.mode,
            sizeBytes: bytes.length,
            sha256: createHash('sha256').update(bytes).digest('hex'),
          }
        }),
      ],
      fragments: { 'k3s-token': join ? 'K10aa::server:0123456789abcdef' : '0123456789abcdef' },
      units: [{ unit: desired.unit, loaded: true, enabled: true, active: 'active' }],
    }
    const installed: Partial<InstalledState> = {
      cluster: spec.name,
      role: machine.node.role,
      version: 'v1.33.1+k3s1',
      active: true,
      initialized: true,
      apiReady: machine.node.role === 'master',
      ...(machine.node.role === 'master' ? { nodes } : {}),
    }
    return testMachine(machine.node, machine.facts.hostname, managed, installed)
  })
  return { ...full, machines }
}
