import type { ClusterSpec } from '../cluster/spec.js'
import type { AirliftError } from '../core/errors.js'
import type { Taken } from '../machine/docker/engine-error.js'
import type { PlanResult } from '../plan/execute.js'

/**
 * Why a plan failed, where somebody else took a port, subnet or address that airlift itself had chosen, after it was seen to
 * be free. What the user named is not chosen again. Pure.
 */
export function takenMeanwhile(
  { containers }: ClusterSpec,
  { steps, interrupted }: Pick<PlanResult, 'steps' | 'interrupted'>,
): AirliftError | undefined {
  const error = steps.find((step) => step.outcome === 'failed')?.error
  const taken = error?.data?.taken as Taken | undefined
  if (!containers || interrupted || !taken || error?.code !== 'E_ENGINE_CONFLICT') return undefined
  const { subnet, subnet6, ipFamily, network, ports, api } = containers
  // Which of two subnets it is, engines do not say.
  const left = subnet === undefined || (ipFamily === 'dual' && subnet6 === undefined)
  const chosen = {
    subnet: left && network === undefined,
    address: true,
    port:
      taken.port !== undefined && api.port !== taken.port && !ports.some((p) => p.hostPort === taken.port),
  }
  return chosen[taken.kind] ? error : undefined
}
