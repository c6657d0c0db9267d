import type { Action } from '../../plan/plan.js'
import type { World } from '../runtime.js'
import { K3S, unitName } from './paths.js'
import type { MachineSide } from './plan-leave.js'
import { hasSomething } from './reset.js'
import { uninstallScript } from './uninstall.js'

/** What is done on a host whose node leaves: its service is kept from coming back, then everything is removed, as by reset. */
export function hostSide(world: World): MachineSide {
  return {
    quiet: ({ machine, role }, member): Action[] => {
      if (member) return [{ kind: 'script', script: forgetToken }]
      const { init } = machine.facts
      if (!machine.installed.active || init === 'none') return []
      return [{ kind: 'service', unit: unitName(role), op: 'stop', init }]
    },
    remove: ({ machine }) =>
      hasSomething(machine)
        ? [{ kind: 'script', script: uninstallScript(world), timeoutMs: 180_000 }]
        : undefined,
    removeTitle: ({ name }) => `remove k3s from ${name}`,
  }
}

/**
 * A master that is taken out of etcd ends itself, its service starts it again, and then it would join anew. Without a token it
 * cannot; k3s reads the file only at its start. A run that wants the machine back writes it again.
 */
export const forgetToken = `rm -f ${K3S.tokenFile}`
