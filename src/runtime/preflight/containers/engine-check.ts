import type { ClusterSpec } from '../../../cluster/spec.js'
import type { RootfsManifest } from '../../../rootfs/manifest.js'
import type { EngineWorld } from '../../runtime.js'

/** What every check of an engine is handed. */
export interface EngineCheck {
  readonly spec: ClusterSpec
  readonly engine: EngineWorld
  readonly rootfs?: RootfsManifest
  /** How the engine is called in problems. */
  readonly name: string
}
