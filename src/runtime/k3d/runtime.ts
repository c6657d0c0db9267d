import { explainLog } from '../k3s/diagnose.js'
import { K3S_INFO, refuseUpgrade } from '../k3s/distribution.js'
import type { Runtime } from '../runtime.js'
import { engineArch, isMadeOf, publishedImage } from './choose-image.js'
import { planDeleteMasters } from './delete-masters.js'
import { planDeleteNodes } from './delete-nodes.js'
import { planInit } from './init.js'
import { planJoinMasters } from './join-masters.js'
import { planJoinNodes } from './join-nodes.js'
import { unknownData } from './lost-data.js'
import { imageVersion, NODE_REPOSITORIES, nodeImages } from './node-images.js'
import { observeK3d } from './observe.js'
import { planPorts, planPortsUndo } from './ports.js'
import { planReset } from './reset.js'
import { planStart } from './start.js'
import { planStop } from './stop.js'

/** k3s in containers that airlift makes on a container engine. */
export function createK3dRuntime(): Runtime {
  return {
    info: {
      name: 'k3d',
      title: 'k3s in containers',
      machines: ['container'],
      ...K3S_INFO,
      verbs: [...K3S_INFO.verbs, 'ports'],
    },
    observe: observeK3d,
    undecided: unknownData,
    init: planInit,
    joinMasters: planJoinMasters,
    joinNodes: planJoinNodes,
    deleteMasters: planDeleteMasters,
    deleteNodes: planDeleteNodes,
    upgrade: () => refuseUpgrade('k3d'),
    reset: planReset,
    stop: planStop,
    start: planStart,
    images: {
      repositories: NODE_REPOSITORIES,
      among: nodeImages,
      versionOf: imageVersion,
      published: publishedImage,
      isMade: isMadeOf,
      arch: engineArch,
    },
    ports: { change: planPorts, undo: planPortsUndo },
    explain: explainLog,
  }
}
