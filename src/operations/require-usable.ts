import type { ClusterSpec, NodeSpec } from '../cluster/spec.js'
import type { AirliftError } from '../core/errors.js'
import { checkWorld } from '../runtime/preflight/check-world.js'
import { type Problem, problem } from '../runtime/preflight/problem.js'
import { refusals, refuse } from '../runtime/preflight/refuse.js'
import type { World } from '../runtime/runtime.js'
import { requireAll } from './session.js'
import { unusableCode } from './unusable.js'

/** A machine that cannot be used, as a row of the table of all problems. */
export function unusableProblem(node: NodeSpec, error: AirliftError): Problem {
  return problem(unusableCode(error), node.target.text, error.message, {
    ...(error.hint ? { fix: error.hint.replaceAll('\n', '; ') } : {}),
  })
}

/**
 * Throws as {@link requireAll} does when machines cannot be used. Where others, which are yet to be installed, have problems of
 * their own, all of them are told in one table: nobody should mend one host after the other.
 * @throws AirliftError E_PREFLIGHT (exit 5) with all problems, or E_SSH_…
 */
export function requireUsable(spec: ClusterSpec, world: World): void {
  if (world.unreachable.length > 0 && world.machines.length > 0) {
    const bare = new Set(world.machines.filter(({ installed }) => !installed.active).map(({ name }) => name))
    const found = checkWorld(spec, world).filter(({ machine }) => bare.has(machine))
    if (refusals(found, spec.ignore).length > 0)
      refuse(
        [...world.unreachable.map(({ node, error }) => unusableProblem(node, error)), ...found],
        spec.ignore,
      )
  }
  requireAll(world)
}
