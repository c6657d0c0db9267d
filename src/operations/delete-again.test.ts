import { describe, expect, it } from 'vitest'
import type { MachineTarget, NodeSpec, Role } from '../cluster/spec.js'
import { plainSsh } from '../cluster/ssh.fixture.js'
import { AirliftError } from '../core/errors.js'
import { testContainers } from '../runtime/k3d/world.fixture.js'
import { problem } from '../runtime/preflight/problem.js'
import { containerHome, tinyRootfs } from './containers.fixture.js'
import { deleteNodes } from './delete.js'
import { deleteAgain } from './delete-again.js'
import { run } from './run.js'

const host = (last: number, role: Role = 'worker'): NodeSpec => {
  const target: MachineTarget = { kind: 'ssh', text: `root@10.0.0.${last}`, host: `10.0.0.${last}` }
  return { target, role, labels: {}, taints: [] }
}
const SAME = 'make room and run the same command again, or use --force'

/** The hint of an error after a delete of such words that left these nodes behind. */
function hintAfter(
  words: { masters?: string[]; nodes?: string[] },
  leaving: NodeSpec[],
  left: NodeSpec[],
  parts: { force?: boolean; through?: NodeSpec[]; hint?: string } = {},
): string | undefined {
  const cluster = { name: 'prod', masters: parts.through ?? [], nodes: [], ssh: plainSsh }
  const input = {
    cluster,
    leaving: { masters: [], nodes: [], ...words },
    options: { force: parts.force === true },
  }
  const error = new AirliftError('E_DRAIN', 'full', { hint: parts.hint ?? SAME })
  return deleteAgain(input, leaving, left).error(error).hint
}

describe('a delete that did not finish', () => {
  it('is finished by the same command where that names what it named before', () => {
    expect(hintAfter({ nodes: ['root@10.0.0.4'] }, [host(4)], [host(4)])).toBe(SAME)
    expect(hintAfter({ nodes: ['workers:*'] }, [host(4), host(5)], [host(4), host(5)])).toBe(SAME)
  })

  it.each(['workers:0,1', 'agents[0-1]', 'bare9;workers:0'])(
    'by what is left, where it counted: %s',
    (word) => {
      expect(hintAfter({ nodes: [word] }, [host(4), host(5)], [host(4), host(5)])).toBe(
        'make room and run airlift delete --name prod --nodes root@10.0.0.4,root@10.0.0.5, or use --force',
      )
    },
  )

  it('by what is left, where some have left', () => {
    const leaving = [host(2, 'master'), host(4), host(5)]
    const words = { masters: ['root@10.0.0.2'], nodes: ['10.0.0.[4-5]'] }
    const parts = { force: true, through: [host(1, 'master')] }
    expect(hintAfter(words, leaving, leaving.slice(0, 2), parts)).toBe(
      'make room and run airlift delete --name prod --through root@10.0.0.1 --masters root@10.0.0.2 --nodes root@10.0.0.4 --force, or use --force',
    )
    expect(hintAfter(words, leaving, [leaving[2] ?? host(0)], { hint: 'move them' })).toBe(
      'move them\nthose that are left: airlift delete --name prod --nodes root@10.0.0.5',
    )
  })

  it('names no other node where all have left', () => {
    expect(
      hintAfter({ nodes: ['workers:0'] }, [host(4)], [], { hint: 'run the same command again; by hand: x' }),
    ).toBe('see airlift status --name prod: all that were named have left; by hand: x')
  })

  it('says so of each thing that is left, too', () => {
    const input = {
      cluster: { name: 'prod', masters: [], nodes: [], ssh: plainSsh },
      leaving: { masters: [], nodes: ['workers:0'] },
      options: {},
    }
    const left = problem('not-clean', 'bare4', 'a file', { fix: 'run the same command again; by hand: rm x' })
    expect(deleteAgain(input, [host(4)], [host(4)]).problem(left).fix).toBe(
      'run airlift delete --name prod --nodes root@10.0.0.4; by hand: rm x',
    )
  })
})

const home = containerHome()

it('tells the names of what is left, on each machine and in the whole', async () => {
  const fails = {
    exitCode: 1,
    stdout: '@@fail E_DRAIN it is full\n@@hint make room and run the same command again\n',
  }
  const own = home.lab({
    script: (_, text) =>
      text.includes('drain') && text.includes('airlift-dev-worker-2') ? fails : undefined,
  })
  const spec = testContainers(1, 3)
  expect((await run({ spec, rootfs: tinyRootfs() }, own.ctx, own.deps)).error).toBeUndefined()
  const cluster = { name: 'dev', masters: [], nodes: [], ssh: spec.ssh }
  const leaving = { masters: [], nodes: ['workers:0,2'] }
  const { report, error } = await deleteNodes({ cluster, leaving, options: {} }, own.ctx, own.deps)
  const hint = 'make room and run airlift delete --name dev --nodes airlift-dev-worker-2'
  expect(error).toMatchObject({ code: 'E_DRAIN', hint })
  expect(report?.outcome).toBe('partial')
  expect(report?.machines.map((machine) => [machine.node, machine.error?.hint])).toEqual([
    ['airlift-dev-worker-0', undefined],
    ['airlift-dev-worker-2', hint],
  ])
  // The same words do not name another node.
  await expect(deleteNodes({ cluster, leaving, options: {} }, own.ctx, own.deps)).rejects.toMatchObject({
    code: 'E_HOST_INVALID',
    exit: 2,
    message: expect.stringContaining('matches nothing at 0'),
  })
})
