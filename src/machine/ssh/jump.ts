import { AirliftError } from '../../core/errors.js'
import type { JumpHop } from './resolved-host.js'

const HOP =
  /^(?:ssh:\/\/)?(?:(.+)@)?(?:\[([^\]]+)\]|([^:@[\]]+)|([0-9a-fA-F:]+:[0-9a-fA-F:.]*))(?::(\d+))?\/?$/

/** Hops of `[user@]host[:port],…` or `ssh://…`. @throws AirliftError E_SSH_CONFIG */
export function parseJump(text: string, machine: string): readonly JumpHop[] {
  return text.split(',').map((part) => {
    const match = HOP.exec(part.trim())
    const host = match?.[2] ?? match?.[3] ?? match?.[4]
    const port = match?.[5] === undefined ? undefined : Number(match[5])
    if (!match || host === undefined || (port !== undefined && (port < 1 || port > 65535))) {
      throw new AirliftError('E_SSH_CONFIG', `cannot read the jump host "${part.trim()}"`, {
        machine,
        hint: 'write [user@]host[:port], several separated by commas',
      })
    }
    return {
      host,
      ...(match[1] === undefined ? {} : { user: match[1] }),
      ...(port === undefined ? {} : { port }),
    }
  })
}
