import { type ContainerRecord, LABELS, recordOfLabels } from '../../cluster/container-labels.js'
import { type ContainerSpec, containerName, PLAIN_CONTAINER } from '../../cluster/container-spec.js'
import type { ClusterSpec } from '../../cluster/spec.js'
import { AirliftError } from '../../core/errors.js'
import type { Engine, EngineContainer } from '../../machine/docker/engine.js'
import type { Action, Step } from '../../plan/plan.js'
import { readContainerFile } from '../../rootfs/tar/read-container-file.js'
import type { EngineWorld, World } from '../runtime.js'
import { CONTAINER } from './contract.js'

// Labels tell what every container was made from, and go with it. What the load balancer publishes no other container's labels
// can tell, since they cannot change: so each master has it in a file.

/** What masters remember of the load balancer. */
export interface RememberedBalancer {
  /** Grows with every change: of several masters, some of which were stopped then, the highest counts. */
  readonly generation: number
  /** What must be made again; absent where nothing is missing. */
  readonly record?: ContainerRecord
}

/** The file of a master that remembers a load balancer; without one, that there is none any more. Pure. */
export function balancerText(
  record: ContainerRecord | undefined,
  generation = record?.generation ?? 0,
): string {
  // As it is read from labels, so that the text does not depend on whether the container is there yet.
  const known = record && recordOfLabels({ [LABELS.spec]: JSON.stringify(record) })
  const entries = Object.entries({ ...known, generation })
  return `${JSON.stringify(Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1))))}\n`
}

/** Writes it on every master that runs. */
export function rememberSteps(
  world: World,
  text: string,
  needs: readonly string[],
  but: readonly string[] = [],
): Step[] {
  return world.machines
    .filter(({ node, installed, id }) => node.role === 'master' && installed.active && !but.includes(id))
    .map(({ id, name }): Step => {
      const write: Action = { kind: 'write', path: CONTAINER.balancer, mode: '0600', content: text }
      const title = 'note what the load balancer publishes'
      return { id: `${name}/balancer`, machine: id, title, needs, journal: false, actions: [write] }
    })
}

/**
 * Reads what masters remember, also those that do not run, where the load balancer is missing; or where it is there and nothing
 * publishes the API, since the master that did has just left. Undefined where that need not be known.
 */
export async function readRemembered(
  { name: cluster }: ClusterSpec,
  containers: readonly EngineContainer[],
  engine: Engine,
): Promise<RememberedBalancer | undefined> {
  const own = containerName(cluster, 'lb')
  const lb = containers.find(({ name }) => name === own)
  const known = lb && recordOfLabels(lb.labels)
  const elsewhere = containers.some(
    (entry) => entry !== lb && recordOfLabels(entry.labels)?.api !== undefined,
  )
  if (lb && (!known || known.api || elsewhere)) return undefined
  const masters = containers.filter(({ labels }) => labels[LABELS.role] === 'master')
  const told = await Promise.all(masters.map(async ({ name }) => parseBalancer(await textOf(name, engine))))
  const newest = told.flatMap((entry) => entry ?? []).sort((a, b) => b.generation - a.generation)[0]
  if (!newest?.record) return newest
  const { generation, record } = newest
  const isOld = lb !== undefined && (!record.api || (known?.generation ?? 0) >= generation)
  return isOld || (record.api && elsewhere) ? { generation } : newest
}

async function textOf(name: string, engine: Engine): Promise<string> {
  // An engine tells quickly that there is no such file; an archive takes it a while.
  if (!(await engine.hasPath(name, CONTAINER.balancer))) return ''
  return (await readContainerFile(engine, name, CONTAINER.balancer))?.toString('utf8') ?? ''
}

function parseBalancer(text: string): RememberedBalancer | undefined {
  try {
    const { generation } = JSON.parse(text) as { readonly generation?: unknown }
    if (typeof generation !== 'number') return undefined
    const record = recordOfLabels({ [LABELS.spec]: text })
    return { generation, ...(record ? { record } : {}) }
  } catch {
    return undefined
  }
}

/** Whether a cluster must have a load balancer that is not there, or not as it must be. Pure. */
export function isBalancerLost({ containers, remembered }: EngineWorld, cluster: string): boolean {
  if (remembered?.record) return true
  const own = containerName(cluster, 'lb')
  return (
    containers.some(({ labels }) => recordOfLabels(labels)?.loadBalancer) &&
    !containers.some(({ name }) => name === own)
  )
}

/**
 * The options of the load balancer that was lost, as far as they are remembered. Pure.
 * @throws AirliftError E_REFUSED where it cannot be made as it was without the flags of `run`
 */
export function lostBalancerOptions(
  spec: ClusterSpec,
  remembered: RememberedBalancer | undefined,
): ContainerSpec['lb'] {
  const record = remembered?.record
  const name = containerName(spec.name, 'lb')
  const again = 'make it again: the same airlift run command'
  if (!record)
    throw new AirliftError(
      'E_REFUSED',
      `the load balancer ${name} is gone, and no master remembers its ports`,
      {
        machine: name,
        hint: `${again}; ports that airlift ports added since must be added once more`,
      },
    )
  const lost = [...record.env.map((key) => `--env ${key}`), ...record.files.map((path) => `--file …:${path}`)]
  if (lost.length > 0)
    throw new AirliftError('E_REFUSED', `the load balancer ${name} is gone, and with it ${lost.join(', ')}`, {
      machine: name,
      hint: `${again}, which gives them`,
    })
  const { mounts, k3sArgs, runtimeLabels } = record
  return { ...PLAIN_CONTAINER, mounts, k3sArgs, runtimeLabels }
}
