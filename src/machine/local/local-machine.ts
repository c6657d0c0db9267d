import type { Context } from '../../core/context.js'
import type { Machine } from '../machine.js'
import type { SudoPolicy } from '../session/session-machine.js'
import { createSessionMachine } from '../session/session-machine.js'
import { createLocalTransport } from './local-transport.js'

/** This computer as a machine, `local://`. Root is had as everywhere: by being it, or through sudo. */
export function createLocalMachine(sudo: SudoPolicy, ctx: Context): Machine {
  return createSessionMachine({
    id: 'local://',
    name: 'local',
    kind: 'local',
    transport: createLocalTransport(),
    sudo,
    ctx,
  })
}
