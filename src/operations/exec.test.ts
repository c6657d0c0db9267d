import { afterEach, describe, expect, it } from 'vitest'
import type { MachineTarget, NodeSpec, Role } from '../cluster/spec.js'
import { plainSsh } from '../cluster/ssh.fixture.js'
import { createContext } from '../core/context.js'
import { AirliftError } from '../core/errors.js'
import { createFakeMachine, type FakeMachine, type FakeRule } from '../machine/fake/fake-machine.js'
import { createLocalMachine } from '../machine/local/local-machine.js'
import type { Machine } from '../machine/machine.js'
import { connectInOrder } from './connect-in-order.fixture.js'
import { exec, execInteractive } from './exec.js'
import type { MachineSelection } from './select-machines.js'
import type { OperationDeps } from './session.js'

const fakes: FakeMachine[] = []
afterEach(() => {
  for (const fake of fakes.splice(0)) {
    fake.verify()
    expect(fake.closed).toBe(true)
  }
})
const fake = (name: string, ...on: FakeRule[]): FakeMachine => {
  const made = createFakeMachine({
    id: `ssh://root@${name}:22`,
    name,
    on: [...on, { match: 'uname -n', reply: `${name.toUpperCase()}\n` }],
  })
  fakes.push(made)
  return made
}
const target = (host: string): MachineTarget => ({ kind: 'ssh', text: `root@${host}`, host })
const node = (host: string, role: Role): NodeSpec => ({ target: target(host), role, labels: {}, taints: [] })
const select = (
  masters: string[],
  nodes: string[],
  parts: Partial<MachineSelection> = {},
): MachineSelection => ({
  cluster: {
    name: 'prod',
    masters: masters.map((host) => node(host, 'master')),
    nodes: nodes.map((host) => node(host, 'worker')),
    ssh: plainSsh,
  },
  roles: [],
  on: [],
  ...parts,
})
const run = (selection: MachineSelection, command: string[], d: OperationDeps, root = true) =>
  exec({ selection, command, root, timeoutMs: 5000 }, createContext({ env: {} }), d)

describe('exec', () => {
  it('runs everywhere, and reports each machine by its node name', async () => {
    const result = await run(
      select(['a'], ['b']),
      ['uptime'],
      connectInOrder(
        fake('a', { match: 'uptime', reply: 'up 1\n' }),
        fake('b', { match: 'uptime', reply: 'up 2\n' }),
      ),
    )
    expect(result).toEqual({
      operation: 'exec',
      outcome: 'done',
      name: 'prod',
      machines: [
        {
          machine: 'ssh://root@a:22',
          node: 'a',
          role: 'master',
          exitCode: 0,
          stdout: 'up 1\n',
          stderr: '',
          error: null,
        },
        {
          machine: 'ssh://root@b:22',
          node: 'b',
          role: 'worker',
          exitCode: 0,
          stdout: 'up 2\n',
          stderr: '',
          error: null,
        },
      ],
    })
  })
  it('is partial when some failed, whether the command or the connection', async () => {
    const lost = new AirliftError('E_SSH_UNREACHABLE', 'nobody there', { hint: 'switch it on' })
    const result = await run(
      select(['a'], ['b', 'c']),
      ['false'],
      connectInOrder(
        fake('a', { match: 'false', reply: '' }),
        fake('b', { match: 'false', reply: { exitCode: 7, stderr: 'oh' } }),
        lost,
      ),
    )
    expect(result.outcome).toBe('partial')
    expect(result.machines.map(({ node, exitCode, error }) => [node, exitCode, error?.code])).toEqual([
      ['a', 0, undefined],
      ['b', 7, undefined],
      ['root@c', null, 'E_SSH_UNREACHABLE'],
    ])
  })
  it('is failed when all failed', async () => {
    const bad: FakeRule = { match: 'false', reply: { exitCode: 1 } }
    expect(
      (await run(select(['a'], ['b']), ['false'], connectInOrder(fake('a', bad), fake('b', bad)))).outcome,
    ).toBe('failed')
  })
  it('keeps the machines of a role, and those that --on names by node or host', async () => {
    const echo: FakeRule = { match: 'echo', reply: '' }
    const roles = await run(
      select(['a'], ['b'], { roles: ['worker'] }),
      ['echo'],
      connectInOrder(fake('a'), fake('b', echo)),
    )
    expect(roles.machines.map((machine) => machine.node)).toEqual(['b'])
    const on = await run(
      select(['a'], ['b', 'c'], { on: ['root@c', 'a'] }),
      ['echo'],
      connectInOrder(fake('a', echo), fake('b'), fake('c', echo)),
    )
    expect(on.machines.map((machine) => machine.node)).toEqual(['a', 'c'])
  })
  it('refuses a name that is not of the cluster, and says which was near', async () => {
    await expect(
      run(
        select(['bare1'], ['bare2'], { on: ['baer2'] }),
        ['x'],
        connectInOrder(fake('bare1'), fake('bare2')),
      ),
    ).rejects.toMatchObject({
      code: 'E_HOST_INVALID',
      message: '"baer2" is not a machine of the cluster',
      hint: 'did you mean bare2?',
    })
  })
  it('runs as root unless told otherwise', async () => {
    const asked: (boolean | undefined)[] = []
    const rule: FakeRule = { match: 'id', fn: ({ options }) => String(asked.push(options.root)) }
    await run(select(['a'], []), ['id'], connectInOrder(fake('a', rule)))
    await run(select(['a'], []), ['id'], connectInOrder(fake('a', rule)), false)
    expect(asked).toEqual([true, false])
  })
})

describe('the words of a command, in a real shell', () => {
  const local = (): Machine => createLocalMachine({ mode: 'never' }, createContext())
  const stdout = async (...command: string[]): Promise<string> =>
    (await run(select(['a'], []), command, connectInOrder(local()), false)).machines[0]?.stdout ?? ''

  it.each(["it's", 'a  b', '$HOME', '`id`', '"', '\\n', '*', 'a\nb', '', 'ünï'])(
    'passes %j on unchanged',
    async (word) => {
      expect(await stdout('printf', '%s|', word, 'end')).toBe(`${word}|end|`)
    },
  )
  it('gives one word to the shell', async () => {
    expect(await stdout('for i in 1 2; do echo "$i"; done | tail -n 1')).toBe('2\n')
  })
  it('has nothing to read, and keeps exit code, stdout and stderr apart', async () => {
    const result = await run(
      select(['a'], []),
      ['cat; echo out; echo err >&2; exit 9'],
      connectInOrder(local()),
      false,
    )
    expect(result.machines[0]).toMatchObject({ exitCode: 9, stdout: 'out\n', stderr: 'err\n' })
  })
})

describe('execInteractive', () => {
  const interactive = (selection: MachineSelection, d: OperationDeps): Promise<number> =>
    execInteractive(
      { selection, command: ['sh', '-c', 'a b'], root: true, tty: true },
      createContext({ env: {} }),
      d,
    )

  it('gives the terminal to one machine, and its exit code back', async () => {
    const asked: unknown[] = []
    const plain = fake('a')
    const machine = Object.assign(plain, {
      interact: async (...args: unknown[]) => {
        asked.push(args)
        await new Promise((resolve) => setTimeout(resolve, 5))
        expect(plain.closed, 'closed only when the command has ended').toBe(false)
        return 42
      },
    })
    expect(await interactive(select(['a'], []), connectInOrder(machine))).toBe(42)
    expect(asked).toEqual([["sh -c 'a b'", { tty: true, root: true }]])
  })
  it('refuses several machines', async () => {
    await expect(
      interactive(select(['a'], ['b']), connectInOrder(fake('a'), fake('b'))),
    ).rejects.toMatchObject({
      code: 'E_USAGE',
      message: '-i and -t are for one machine, and these are 2: a, b',
      hint: 'choose one: --on NAME',
    })
  })
})
