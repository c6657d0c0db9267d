import { AirliftError } from '../../core/errors.js'
import type { Plan } from '../../plan/plan.js'
import type { Runtime } from '../runtime.js'
import { planDeleteMasters } from './delete-masters.js'
import { planDeleteNodes } from './delete-nodes.js'
import { planInit } from './init.js'
import { planJoinMasters } from './join-masters.js'
import { planJoinNodes } from './join-nodes.js'
import { observeK3s } from './observe.js'
import { planReset } from './reset.js'
import { planStart } from './start.js'
import { planStop } from './stop.js'
import { K3S_RELEASES } from './versions.js'

/** k3s on machines over SSH, or on this computer. */
export function createK3sRuntime(): Runtime {
  return {
    info: {
      name: 'k3s',
      title: 'k3s on machines over SSH',
      distribution: 'k3s',
      machines: ['host'],
      verbs: ['init', 'joinMasters', 'joinNodes', 'deleteMasters', 'deleteNodes', 'reset', 'stop', 'start'],
      minors: K3S_RELEASES.map((release) => release.minor),
    },
    observe: observeK3s,
    init: planInit,
    joinMasters: planJoinMasters,
    joinNodes: planJoinNodes,
    deleteMasters: planDeleteMasters,
    deleteNodes: planDeleteNodes,
    upgrade: () => unsupported('upgrading'),
    reset: planReset,
    stop: planStop,
    start: planStart,
  }
}

function unsupported(what: string): Plan {
  throw new AirliftError('E_UNSUPPORTED', `${what} is not built yet for the runtime "k3s"`, {
    hint: 'keep the release that runs; a newer one takes a new cluster: airlift reset, then airlift run',
  })
}
