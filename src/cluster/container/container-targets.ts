import { containerName } from '../container-spec.js'
import type { MachineTarget, Role } from '../spec.js'

/** Which indexes so many containers of a role have, lowest first unless some come before others. */
export type Places = (count: number) => readonly number[]

const fromZero: Places = (count) => Array.from({ length: count }, (_, index) => index)

/** A cluster without any container. */
export const NEW_PLACES: Readonly<Record<Role, Places>> = { master: fromZero, worker: fromZero }

/** Of containers that join: first those that were begun and never finished, then from `next` on, where all are free. */
export function joiningPlaces(begun: readonly number[], next: number): Places {
  return (count) => [...begun.slice(0, count), ...fromZero(count - begun.length).map((index) => next + index)]
}

/**
 * Of a whole cluster: those that are there, and the lowest that are free for what is missing. Where there are more than are
 * asked for nobody can say which are meant: all are counted from 0, and that is for others to refuse.
 */
export function keptPlaces(there: readonly number[]): Places {
  return (count) => {
    if (there.length > count) return fromZero(count)
    const indexes = new Set(there)
    for (let index = 0; indexes.size < count; index++) indexes.add(index)
    return [...indexes].sort((a, b) => a - b)
  }
}

/** The containers that a number of nodes asks for. */
export function containerTargets(
  cluster: string,
  role: Role,
  count: number,
  places: Places = NEW_PLACES[role],
): MachineTarget[] {
  return places(count).map((index) => {
    const name = containerName(cluster, role, index)
    return { kind: 'container', text: name, host: name }
  })
}
