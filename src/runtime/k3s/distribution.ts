import { AirliftError } from '../../core/errors.js'
import type { Plan } from '../../plan/plan.js'
import type { RuntimeInfo } from '../runtime.js'
import { K3S_RELEASES } from './versions.js'

/** What can be asked of k3s, whatever its nodes live on. */
export const K3S_INFO: Pick<RuntimeInfo, 'distribution' | 'verbs' | 'minors'> = {
  distribution: 'k3s',
  verbs: ['init', 'joinMasters', 'joinNodes', 'deleteMasters', 'deleteNodes', 'reset', 'stop', 'start'],
  minors: K3S_RELEASES.map((release) => release.minor),
}

/** The verb that is no part of them. @throws AirliftError E_UNSUPPORTED, always */
export function refuseUpgrade(runtime: string): Plan {
  throw new AirliftError('E_UNSUPPORTED', `upgrading is not built yet for the runtime "${runtime}"`, {
    hint: 'keep the release that runs; a newer one takes a new cluster: airlift reset, then airlift run',
  })
}
