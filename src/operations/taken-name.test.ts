import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type ClusterRecord, readRecord, recordOf, writeRecord } from '../cluster/record.js'
import type { ClusterSpec } from '../cluster/spec.js'
import { type Context, createContext } from '../core/context.js'
import { AirliftError } from '../core/errors.js'
import { container } from '../machine/docker/container.fixture.js'
import { createFakeEngine } from '../machine/docker/fake-engine.js'
import { testContainers } from '../runtime/k3d/world.fixture.js'
import { testMachine, testNode, testSpec } from '../runtime/k3s/world.fixture.js'
import { containersNamed } from './containers.fixture.js'
import { type HostLab, hostAnswer, hostLab } from './hosts.fixture.js'
import type { LookedAt } from './recorded-nodes.js'
import { rememberCluster } from './remember-cluster.js'
import { reset } from './reset.js'
import { findTakenName } from './taken-name.js'

let home = ''
let ctx: Context
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'airlift-taken-'))
  ctx = createContext({ env: { HOME: home, XDG_STATE_HOME: home, KUBECONFIG: `${home}/config` } })
})
afterEach(() => rmSync(home, { recursive: true, force: true }))

/** What this computer remembers as "prod". */
const remember = (more: Partial<ClusterRecord>): Promise<void> =>
  writeRecord({ ...recordOf(testSpec(1, 0), 'v1.33.1+k3s1', new Date()), nodes: [], ...more }, ctx.env)

const prod = (masters: readonly string[], nodes: readonly string[] = []) => ({
  name: 'prod',
  role: 'master',
  masters: masters.map((host) => `root@${host}`),
  nodes: nodes.map((host) => `root@${host}`),
})
const lost = new AirliftError('E_SSH_UNREACHABLE', 'no route to 10.0.0.9')
const host = (address: string, record?: Record<string, unknown>): LookedAt =>
  testMachine(testNode(address, 'master'), `bare${address.at(-1)}`, record ? { record } : {})

/** The name of a cluster on these hosts, as they were found; `asked` are the others as they answer. */
async function taken(machines: readonly LookedAt[], asked: HostLab, more: Partial<ClusterSpec> = {}) {
  const spec = { ...testSpec(0, 0), masters: machines.map(({ node }) => node), ...more }
  return findTakenName(spec, machines, ctx, asked.deps)
}

describe('hosts take the name of other hosts', () => {
  const recorded = { masters: ['root@10.0.0.9'] }

  it('that are a cluster: refused, with the way to go on', async () => {
    await remember({ ...recorded, nodes: ['root@10.0.0.8'] })
    const others = hostLab({
      '10.0.0.9': hostAnswer('nine', { record: prod(['10.0.0.9']) }),
      '10.0.0.8': hostAnswer('eight'),
    })
    const [found, ...more] = await taken([host('10.0.0.1')], others)
    expect(more).toEqual([])
    expect(found).toMatchObject({
      code: 'name-taken',
      severity: 'error',
      ignorable: false,
      machine: 'root@10.0.0.9',
      message:
        '"prod" is the name of a cluster on root@10.0.0.9, root@10.0.0.8, which the command does not name',
    })
    expect(found?.fix).toContain('choose another --name')
    expect(found?.fix).toContain('airlift reset --name prod')
  })

  it('that cannot be asked: refused, with the way to have it forgotten', async () => {
    await remember(recorded)
    const [found] = await taken([host('10.0.0.1')], hostLab({ '10.0.0.9': lost }))
    expect(found?.message).toContain('root@10.0.0.9 cannot be asked: no route to 10.0.0.9')
    expect(found?.fix).toContain('airlift reset --name prod --force')
  })

  it('of which one is named and bare now, while the others are the cluster: refused', async () => {
    await remember({ masters: ['root@10.0.0.1', 'root@10.0.0.9'] })
    const others = hostLab({ '10.0.0.9': hostAnswer('nine', { record: prod(['10.0.0.1', '10.0.0.9']) }) })
    expect(await taken([host('10.0.0.1')], others)).toMatchObject([{ machine: 'root@10.0.0.9' }])
  })

  it.each([
    ['are bare', hostAnswer('nine')],
    ['are of another cluster', hostAnswer('nine', { record: { ...prod(['10.0.0.9']), name: 'other' } })],
  ])('that %s: the record is stale', async (_, reply) => {
    await remember(recorded)
    expect(await taken([host('10.0.0.1')], hostLab({ '10.0.0.9': reply }))).toEqual([])
  })

  it('that are another cluster of this name: refused', async () => {
    await remember(recorded)
    const others = hostLab({ '10.0.0.9': hostAnswer('nine', { record: prod(['10.0.0.9']) }) })
    expect(await taken([host('10.0.0.1', prod(['10.0.0.1']))], others)).toMatchObject([
      { code: 'name-taken' },
    ])
  })
})

describe('nobody is asked', () => {
  it.each([
    ['the same hosts', ['root@10.0.0.1'], [host('10.0.0.1', prod(['10.0.0.1']))]],
    ['the same hosts, bare again', ['root@10.0.0.1'], [host('10.0.0.1')]],
    ['the same under another name', ['ops@bare1'], [host('10.0.0.1', prod(['10.0.0.1']))]],
    ['one host more', ['root@10.0.0.1'], [host('10.0.0.1', prod(['10.0.0.1'])), host('10.0.0.2')]],
    [
      'another master that knows a recorded one',
      ['10.0.0.9'],
      [host('10.0.0.1', prod(['10.0.0.9', '10.0.0.1']))],
    ],
  ])('for %s', async (_, masters, machines) => {
    await remember({ masters })
    const others = hostLab({ '10.0.0.9': lost })
    expect(await taken(machines, others)).toEqual([])
    expect(others.connected).toEqual([])
  })
})

describe('another master of the cluster is enough', () => {
  const replaced = host('10.0.0.1', prod(['10.0.0.1']))

  it.each([
    ['is switched off', lost],
    ['is bare', hostAnswer('nine')],
    ['was away while it was deleted', hostAnswer('nine', { record: prod(['10.0.0.9', '10.0.0.1']) })],
  ])('where the one that is remembered %s', async (_, reply) => {
    await remember({ masters: ['root@10.0.0.9'] })
    expect(await taken([replaced], hostLab({ '10.0.0.9': reply }))).toEqual([])
  })
})

describe('containers and hosts', () => {
  const engineWith = async (name: string) => {
    const engine = createFakeEngine({ images: { k3s: {} } })
    const labels = { 'airlift.cluster': name, 'airlift.role': 'master' }
    await engine.createNetwork({
      name: `airlift-${name}`,
      subnet: '10.20.0.0/24',
      gateway: '10.20.0.1',
      labels,
    })
    await engine.createContainer(container({ name: `airlift-${name}-master-0`, image: 'k3s', labels }))
    return { ...hostLab({}), deps: { ...hostLab({}).deps, connectEngine: async () => engine } }
  }

  it.each([undefined, 'k3d' as const])(
    'hosts do not take the name of containers, record: %s',
    async (runtime) => {
      if (runtime) await remember({ runtime })
      const own = await engineWith('prod')
      const [found] = await taken([host('10.0.0.1')], own)
      expect(found).toMatchObject({ code: 'name-taken' })
      expect(found?.message).toContain('airlift-prod-master-0')
      expect(await taken([host('10.0.0.1')], await engineWith('other'))).toEqual([])
    },
  )

  it('an engine that does not answer may have the containers that are remembered', async () => {
    expect(await taken([host('10.0.0.1')], hostLab({}))).toEqual([])
    await remember({ runtime: 'k3d' })
    const [found] = await taken([host('10.0.0.1')], hostLab({}))
    expect(found?.message).toContain('no container engine answers')
    expect(found?.fix).toMatch(/^choose another --name/)
  })

  it('containers do not take the name of hosts, unless these are gone', async () => {
    const contained = containersNamed('prod')
    const check = (asked: HostLab) => findTakenName(contained, [], ctx, asked.deps)
    expect(await check(hostLab({}))).toEqual([])
    await remember({})
    const alive = hostLab({ '10.0.0.1': hostAnswer('one', { record: prod(['10.0.0.1']) }) })
    expect(await check(alive)).toMatchObject([{ code: 'name-taken', machine: 'root@10.0.0.1' }])
    expect(await check(hostLab({ '10.0.0.1': lost }))).toHaveLength(1)
    expect(await check(hostLab({ '10.0.0.1': hostAnswer('one') }))).toEqual([])
    const dev = testContainers(1, 0)
    expect(await findTakenName(dev, [], ctx, alive.deps)).toEqual([])
  })
})

describe('what is remembered', () => {
  it('stays what it is where a command was led to another cluster of the name', async () => {
    await remember({ masters: ['root@10.0.0.9'] })
    const others = hostLab({ '10.0.0.9': hostAnswer('nine', { record: prod(['10.0.0.9']) }) })
    const one = testMachine(testNode('10.0.0.1', 'master'), 'bare1', { record: prod(['10.0.0.1']) })
    const spec = testSpec(1, 0)
    await rememberCluster(spec, '', { machines: [one] }, ctx, others.deps)
    expect(await readRecord('prod', ctx.env)).toMatchObject({ masters: ['root@10.0.0.9'] })
    await rememberCluster(spec, '', { machines: [one] }, ctx, hostLab({ '10.0.0.9': lost }).deps)
    expect(await readRecord('prod', ctx.env)).toMatchObject({ masters: ['root@10.0.0.1'] })
  })

  it('is forgotten by a forced reset where nothing can be asked, and only then', async () => {
    await remember({})
    const off = hostLab({ '10.0.0.1': lost, '10.0.0.2': lost })
    const spec = testSpec(1, 0)
    await expect(reset({ spec }, ctx, off.deps)).rejects.toMatchObject({
      code: 'E_SSH_UNREACHABLE',
      hint: expect.stringContaining('forgotten here: the same with --force'),
    })
    // Another host than the one that is remembered says nothing of the cluster.
    const other = { ...spec, masters: [testNode('10.0.0.2', 'master')] }
    await expect(reset({ spec: other, force: true }, ctx, off.deps)).rejects.toMatchObject({
      code: 'E_SSH_UNREACHABLE',
    })
    expect(await readRecord('prod', ctx.env)).toBeDefined()
    const outcome = await reset({ spec, force: true }, ctx, off.deps)
    expect(outcome.report?.outcome).toBe('failed')
    expect(outcome.error?.hint).toContain(
      'when it is back: airlift reset --name prod --masters root@10.0.0.1',
    )
    expect(await readRecord('prod', ctx.env)).toBeUndefined()
  })
})
