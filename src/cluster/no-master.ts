import { AirliftError } from '../core/errors.js'
import type { ClusterSpec } from './spec.js'

/** The remedy of a container that somebody removed: its volumes are still there, and taken by the new one. */
export const MAKE_AGAIN =
  'make it again, with the data that its volumes still have: the same airlift run command'

/** The refusal of what cannot be done without a master, where none is left. */
export function noMaster({ name }: ClusterSpec): AirliftError {
  return new AirliftError('E_REFUSED', `the cluster "${name}" has no master`, {
    hint: `${MAKE_AGAIN}; or remove the cluster: airlift reset --name ${name}`,
  })
}

/** The refusal where only networks and volumes have the name of a cluster: who made or removed it was killed. */
export function onlyRemains(name: string): AirliftError {
  return new AirliftError(
    'E_NO_CLUSTER',
    `of the cluster "${name}" there is no container, only what was left of one`,
    {
      hint: `make it, or make it again: the same airlift run command; or remove what is left: airlift reset --name ${name}`,
    },
  )
}
