import type { ClusterSpec } from '../cluster/spec.js'
import { containerId } from '../machine/container-id.js'
import { aboutLeft, hasLeft } from '../runtime/has-left.js'
import type { World } from '../runtime/runtime.js'
import type { StatusProblem } from './cluster-status.js'

/**
 * The problems of containers, with what a stop or a delete that was killed has left: a master that the cluster has taken out, whose
 * own state then is no news, and containers that run and would stay down when the engine is started again. Pure.
 */
export function withCutOff(
  spec: ClusterSpec,
  world: World,
  problems: readonly StatusProblem[],
): StatusProblem[] {
  const { containers = [], info } = world.engine ?? {}
  const left = containers.filter(({ name }) => hasLeft(world, name))
  const ids = new Set<string | null>(left.map(({ name }) => containerId(name)))
  const staysDown = containers.filter(
    ({ name, state, restart }) =>
      info?.kind !== 'podman' && state === 'running' && restart === 'no' && !ids.has(containerId(name)),
  )
  return [
    ...problems.filter(({ machine }) => !ids.has(machine)),
    ...left.map(
      ({ name }): StatusProblem => ({
        machine: containerId(name),
        code: 'delete-unfinished',
        ...aboutLeft(spec, name),
      }),
    ),
    ...staysDown.map(
      ({ name }): StatusProblem => ({
        machine: containerId(name),
        code: 'stop-unfinished',
        message: `the container ${name} runs, and stays down when the engine is started again: a stop or a delete was cut off`,
        hint: `let it come back: airlift start --name ${spec.name}; or run what was cut off again`,
      }),
    ),
  ]
}
