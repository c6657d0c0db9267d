import { LABELS } from '../../cluster/container-labels.js'
import { containerName } from '../../cluster/container-spec.js'
import type { ClusterSpec } from '../../cluster/spec.js'
import { containerId, containerOfMachine } from '../../machine/container-id.js'
import type { World } from '../../runtime/runtime.js'
import { containerProblems } from '../container-status.js'
import type { Collected } from './collect-machine.js'

/** A container in which nothing can be run: it is stopped, or gone altogether. */
export interface AbsentContainer {
  readonly name: string
  readonly role: 'master' | 'worker' | 'lb'
  /** `stopped`: its files and its log are there. */
  readonly state: 'stopped' | 'gone'
  readonly error: NonNullable<Collected['error']>
}

/** The containers of a cluster that do not run, by machine; those too that only the cluster still knows. Pure. */
export function absentContainers(spec: ClusterSpec, world: World): Map<string, AbsentContainer> {
  const containers = world.engine?.containers
  if (!containers) return new Map()
  const known = world.machines.find(({ installed }) => installed.apiReady)?.installed.nodes ?? []
  const absent = new Map<string, AbsentContainer>()
  for (const { machine, code, message, hint } of containerProblems(spec, world, known)) {
    const name = machine === null ? undefined : containerOfMachine(machine)
    if (machine === null || name === undefined || absent.has(machine)) continue
    const container = containers.find((entry) => entry.name === name)
    if (container?.state === 'running' || !/^(not-installed|service-down|lb-down)$/.test(code)) continue
    const node = world.machines.find(({ id }) => id === containerId(name))?.node
    const label = container?.labels[LABELS.role]
    absent.set(machine, {
      name,
      role:
        name === containerName(spec.name, 'lb') || label === 'lb'
          ? 'lb'
          : (node?.role ?? known.find((entry) => entry.name === name)?.role ?? 'worker'),
      state: container ? 'stopped' : 'gone',
      error: { code: 'E_ENGINE_NOT_FOUND', message, hint },
    })
  }
  return absent
}
