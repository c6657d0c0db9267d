import { lookup } from 'node:dns/promises'
import { isIP } from 'node:net'
import { setTimeout } from 'node:timers/promises'
import type { MachineTarget } from '../../cluster/spec.js'
import { machineHost } from '../machine-host.js'

/** A name that ssh has just resolved is known at once; one that only a bastion knows must not hold up what is asked for. */
const LOOKUP_MS = 1000

/**
 * Where machines ask their route to the first master for, the best first: the host that ssh made of what was typed, which may
 * be an alias that no machine knows, and what a name of it means on this computer. Empty for another kind of machine.
 *
 * @param id - the id of its machine, where that is known
 */
export async function routeTo(target: MachineTarget, id: string | undefined): Promise<readonly string[]> {
  if (target.kind !== 'ssh') return []
  const host = (id === undefined ? undefined : machineHost(id)) ?? target.host
  if (isIP(host) !== 0) return [host]
  const found = await Promise.race([
    lookup(host).then(
      ({ address }) => address,
      () => undefined,
    ),
    setTimeout(LOOKUP_MS, undefined, { ref: false }),
  ])
  return found === undefined || /^(127\.|::1$|fe80:)/i.test(found) ? [host] : [host, found]
}
