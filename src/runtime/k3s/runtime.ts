import type { Runtime } from '../runtime.js'
import { planDeleteMasters } from './delete-masters.js'
import { planDeleteNodes } from './delete-nodes.js'
import { K3S_INFO, refuseUpgrade } from './distribution.js'
import { planInit } from './init.js'
import { planJoinMasters } from './join-masters.js'
import { planJoinNodes } from './join-nodes.js'
import { unknownMajority } from './lost-majority.js'
import { observeK3s } from './observe.js'
import { planReset } from './reset.js'
import { planStart } from './start.js'
import { planStop } from './stop.js'

/** k3s on machines over SSH, or on this computer. */
export function createK3sRuntime(): Runtime {
  return {
    info: {
      name: 'k3s',
      title: 'k3s on machines over SSH',
      machines: ['host'],
      ...K3S_INFO,
    },
    observe: observeK3s,
    undecided: unknownMajority,
    init: planInit,
    joinMasters: planJoinMasters,
    joinNodes: planJoinNodes,
    deleteMasters: planDeleteMasters,
    deleteNodes: planDeleteNodes,
    upgrade: () => refuseUpgrade('k3s'),
    reset: planReset,
    stop: planStop,
    start: planStart,
  }
}
