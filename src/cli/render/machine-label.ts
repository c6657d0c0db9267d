import { containerOfMachine } from '../../machine/container-id.js'

/** A machine's id as people say it: `ssh://root@10.0.0.1:22` is `10.0.0.1`, a container its name, `local://` is `local`. */
export function machineLabel(id: string): string {
  if (id === 'local://') return 'local'
  const container = containerOfMachine(id)
  if (container !== undefined) return container
  const match = /^(?:ssh|openssh):\/\/(?:[^@/]*@)?(\[[^\]]+\]|[^:/]+)(?::(\d+))?$/.exec(id)
  if (!match) return id
  const host = (match[1] ?? id).replace(/^\[|\]$/g, '')
  return match[2] === undefined || match[2] === '22' ? host : `${match[1]}:${match[2]}`
}
