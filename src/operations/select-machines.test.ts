import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { writeRecord } from '../cluster/record.js'
import type { SshOptions } from '../cluster/spec.js'
import { plainSsh } from '../cluster/ssh.fixture.js'
import { createContext } from '../core/context.js'
import { createFakeMachine } from '../machine/fake/fake-machine.js'
import { testContainers } from '../runtime/k3d/world.fixture.js'
import { connectInOrder } from './connect-in-order.fixture.js'
import { type ContainerLab, containerHome, tinyRootfs } from './containers.fixture.js'
import { run } from './run.js'
import { type MachineSelection, selectMachines } from './select-machines.js'

const ref = (name: string, ssh: SshOptions = plainSsh) => ({ name, masters: [], nodes: [], ssh })

describe('of a cluster in containers', () => {
  const home = containerHome()
  const lab = async (): Promise<ContainerLab> => {
    const own = home.lab()
    expect(
      (await run({ spec: testContainers(1, 3), rootfs: tinyRootfs() }, own.ctx, own.deps)).error,
    ).toBeUndefined()
    return own
  }
  const select = async (own: ContainerLab, parts: Partial<MachineSelection>): Promise<string[]> => {
    const selection = { cluster: ref('dev'), roles: [], on: [], ...parts }
    await using selected = await selectMachines(selection, own.ctx, own.deps)
    return selected.machines.map(({ node, role }) => `${role} ${node.replace('airlift-dev-', '')}`)
  }
  const nodes = (...words: string[]): Partial<MachineSelection> => ({ named: { masters: [], nodes: words } })

  it('words mean what they mean to delete', async () => {
    const own = await lab()
    expect(await select(own, nodes('workers:0', 'agents[2]'))).toEqual(['worker worker-0', 'worker worker-2'])
    expect(await select(own, nodes('airlift-dev-worker-[1-2]'))).toEqual([
      'worker worker-1',
      'worker worker-2',
    ])
    expect(await select(own, nodes('all'))).toEqual(['worker worker-0', 'worker worker-1', 'worker worker-2'])
    expect(await select(own, nodes('airlift-dev-master-0'))).toEqual(['master master-0'])
    expect(await select(own, { on: ['server:0', 'AIRLIFT-DEV-WORKER-1'] })).toEqual([
      'master master-0',
      'worker worker-1',
    ])
    expect(await select(own, { ...nodes('workers:*'), on: ['workers:1'] })).toEqual(['worker worker-1'])
  })

  it.each<[string, Partial<MachineSelection>, string]>([
    ['a number of the other role', nodes('masters:0'), '"masters:0" is a master'],
    ['a number that is not there', nodes('workers:7'), 'the filter "workers:7" matches nothing at 7'],
    [
      'a container that is not there',
      nodes('airlift-dev-worker-7'),
      '"airlift-dev-worker-7" is not a machine',
    ],
    ['a bare number', nodes('1'), '"1" is a number'],
    ['another number under --on', { on: ['workers:7'] }, '--on: the filter "workers:7" matches nothing at 7'],
  ])('%s is refused', async (_, parts, message) => {
    await expect(select(await lab(), parts)).rejects.toMatchObject({
      code: 'E_HOST_INVALID',
      exit: 2,
      message: expect.stringContaining(message),
    })
  })
})

describe('of a cluster of hosts', () => {
  let home = ''
  beforeEach(() => {
    home = mkdtempSync(`${tmpdir()}/airlift-select-`)
  })
  afterEach(() => rmSync(home, { recursive: true, force: true }))
  const context = () => createContext({ env: { HOME: home, XDG_STATE_HOME: home } })
  const recorded: SshOptions = { ...plainSsh, identities: ['/keys/prod'], knownHosts: '/keys/known' }

  /** What is connected, and with which keys. */
  async function connected(words: string[], name = 'prod'): Promise<unknown> {
    const ssh: unknown[] = []
    const on = [{ match: 'uname -n', reply: 'x\n' }]
    const machines = words.map((word) => createFakeMachine({ id: `ssh://root@${word}:22`, name: word, on }))
    const deps = connectInOrder(...machines)
    const createConnector: NonNullable<typeof deps.createConnector> = (options, ctx) => {
      ssh.push(options.identities)
      return deps.createConnector?.(options, ctx) as never
    }
    const selection = { cluster: ref(name), named: { masters: [], nodes: words }, roles: [], on: [] }
    await using selected = await selectMachines(selection, context(), { ...deps, createConnector })
    return { roles: selected.machines.map(({ role }) => role), ssh }
  }

  it('a host that is named is reached as the cluster is, another one as the command says', async () => {
    await writeRecord(
      {
        ...{ name: 'prod', runtime: 'k3s', version: 'v1', updated: '' },
        ...{ masters: ['root@10.0.0.1'], nodes: ['root@10.0.0.2'], ssh: recorded },
      },
      { XDG_STATE_HOME: home },
    )
    expect(await connected(['10.0.0.2'])).toEqual({ roles: ['worker'], ssh: [['/keys/prod']] })
    expect(await connected(['root@10.0.0.1'])).toEqual({ roles: ['master'], ssh: [['/keys/prod']] })
    expect(await connected(['root@10.9.9.9'])).toEqual({ roles: ['worker'], ssh: [[]] })
    expect(await connected(['root@10.9.9.9'], 'unknown')).toEqual({ roles: ['worker'], ssh: [[]] })
  })
})
