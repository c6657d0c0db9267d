import { describe, expect, it } from 'vitest'
import { AirliftError } from '../core/errors.js'
import { testSpec, testWorld } from '../runtime/k3s/world.fixture.js'
import type { World } from '../runtime/runtime.js'
import { requireUsable } from './require-usable.js'

const spec = testSpec(1, 2)
const all = testWorld(spec)
const error = new AirliftError('E_SSH_AUTH', 'refused every key', { hint: 'name the right key' })

/** The last worker does not let us in; of the other two one may be wrong, too. */
function world(change: (machine: World['machines'][number]) => World['machines'][number]): World {
  const [first, second] = all.machines
  if (!first || !second || !spec.nodes[1]) throw new Error('three machines')
  return {
    ...all,
    machines: [first, change(second)],
    unreachable: [{ node: spec.nodes[1], id: 'ssh://root@10.0.0.3', error }],
  }
}
const well = (machine: World['machines'][number]) => machine
const fast = (machine: World['machines'][number]) => ({
  ...machine,
  facts: { ...machine.facts, clockSkewMs: 3_600_000 },
})

describe('a machine that cannot be used', () => {
  it('is the error, where nothing is wrong with the others', () => {
    expect(() => requireUsable(spec, world(well))).toThrow(error)
  })

  it('is one row in the table of all problems, where others have some', () => {
    let thrown: unknown
    try {
      requireUsable(spec, world(fast))
    } catch (caught) {
      thrown = caught
    }
    expect(thrown).toMatchObject({
      code: 'E_PREFLIGHT',
      exit: 5,
      data: {
        problems: [
          { code: 'ssh-auth', machine: 'root@10.0.0.3', fix: 'name the right key' },
          { code: 'clock-skew', machine: 'root@10.0.0.2' },
        ],
      },
    })
    expect((thrown as AirliftError).log.join('\n')).toMatch(/ssh-auth[\s\S]*clock-skew/)
  })

  it('is the error, where the others run already: what they are like refuses nothing then', () => {
    const running = world((machine) => {
      const changed = fast(machine)
      return { ...changed, installed: { ...changed.installed, active: true } }
    })
    expect(() => requireUsable(spec, running)).toThrow(error)
  })
})
