import { containerName } from '../container-spec.js'
import type { MachineTarget, Role } from '../spec.js'

/** Which indexes the next containers of a role get. */
export interface Places {
  /** Those of containers that were begun and never finished: they come first. */
  readonly begun: readonly number[]
  /** From here on all are free. */
  readonly next: number
}

/** A cluster without any container. */
export const NEW_PLACES: Readonly<Record<Role, Places>> = {
  master: { begun: [], next: 0 },
  worker: { begun: [], next: 0 },
}

/** The index of the container that is asked for at a place, from 0. */
export function indexAt({ begun, next }: Places, place: number): number {
  return begun[place] ?? next + place - begun.length
}

/** The containers that a number of nodes asks for. */
export function containerTargets(
  cluster: string,
  role: Role,
  count: number,
  places: Places = NEW_PLACES[role],
): MachineTarget[] {
  return Array.from({ length: count }, (_, place) => {
    const name = containerName(cluster, role, indexAt(places, place))
    return { kind: 'container', text: name, host: name }
  })
}
