import type { EngineAction } from '../../plan/engine-action.js'
import { count, formatBytes } from './quantity.js'

/** What an action asks of the container engine, in one line. */
export function engineLine(action: EngineAction): string {
  switch (action.op) {
    case 'pull':
      return `pull the image ${action.ref}`
    case 'build':
      return `build the image ${action.ref} from the rootfs`
    case 'fill': {
      const bytes = action.blobs.reduce((sum, blob) => sum + blob.sizeBytes, 0)
      return `put ${count(action.blobs.length, 'image archive')}, ${formatBytes(bytes)}, into the volume ${action.volume}`
    }
    case 'create':
      if (action.kind === 'network')
        return `create the network ${action.name} (${action.subnet}${action.subnet6 ? `, ${action.subnet6}` : ''})`
      if (action.kind === 'volume') return `create the volume ${action.name}`
      return `create the container ${action.config.name} from ${action.config.image}, with ${count(action.files.length, 'file')}`
    case 'attach':
      return `put the container ${action.name} into the network ${action.network} again`
    case 'rename':
      return `rename the container ${action.name} to ${action.to}`
    default:
      return `${action.op} the ${action.kind} ${action.name}`
  }
}
