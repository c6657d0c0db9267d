import { expect, it } from 'vitest'
import { buildSpec, type SpecFlags } from '../build-spec.js'
import type { SpecIo } from '../spec-io.js'

const nothing = async (): Promise<never> => {
  throw Object.assign(new Error('gone'), { code: 'ENOENT' })
}
const io: SpecIo = { readFile: nothing, listDirectory: async () => undefined, loadRegistries: nothing }
const limits = async (flags: SpecFlags): Promise<unknown[]> => {
  const { spec } = await buildSpec({ name: 'dev', masters: '3', nodes: '2', ...flags }, io)
  expect(spec.containers?.lb).not.toHaveProperty('memoryBytes')
  return [...spec.masters, ...spec.nodes].map(({ container }) => [container?.memoryBytes, container?.cpus])
}
const GIB = 1024 ** 3

it('masters and workers can have different memory and processors', async () => {
  const memory = ['2g@servers:*', '1g@workers:*']
  expect(await limits({ memory, cpus: ['2@masters:0', '0.5@agents[1]'] })).toEqual([
    [2 * GIB, 2],
    [2 * GIB, undefined],
    [2 * GIB, undefined],
    [GIB, undefined],
    [GIB, 0.5],
  ])
})

it('without a filter, or with all, they are those of every node, and never of the load balancer', async () => {
  for (const filter of ['', '@all'])
    expect(await limits({ memory: [`2g${filter}`], cpus: [`1.5${filter}`] })).toEqual(
      Array(5).fill([2 * GIB, 1.5]),
    )
})

it('a node has one amount', async () => {
  await expect(limits({ memory: ['2g', '3g@server:0'] })).rejects.toMatchObject({
    exit: 2,
    message: expect.stringContaining('"3g@server:0" gives airlift-dev-master-0 a second value'),
  })
})
