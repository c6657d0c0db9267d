import { expect, it } from 'vitest'
import { type BuildSpecOptions, buildSpec, type SpecFlags } from '../build-spec.js'
import type { SpecIo } from '../spec-io.js'
import { keptPlaces } from './container-targets.js'

const io: SpecIo = {
  readFile: async (path) => Buffer.from(path),
  listDirectory: async () => undefined,
  loadRegistries: async () => {
    throw new Error('not asked for')
  },
}
const build = (flags: SpecFlags, options: BuildSpecOptions) =>
  buildSpec({ name: 'dev', ...flags }, io, options)

it.each([
  [[], 3, [0, 1, 2]],
  [[1, 2], 2, [1, 2]],
  [[1, 3], 3, [0, 1, 3]],
  [[2], 4, [0, 1, 2, 3]],
  // More than are asked for: that is for others to refuse.
  [[1, 2, 3], 2, [0, 1]],
])('%j and asked for %i: %j', (there, count, expected) => expect(keptPlaces(there)(count)).toEqual(expected))

it('containers of a cluster that has some already are those, and filters name each by the number in its name', async () => {
  const options = { places: { master: keptPlaces([1]), worker: keptPlaces([1, 3]) } }
  const flags = { masters: '1', nodes: '3', port: ['8080:80'] }
  const { spec } = await build(
    { ...flags, nodeLabel: ['a=b@workers:3'], env: ['A=b@workers:0,3'], volume: ['/own@workers:1'] },
    options,
  )
  expect(
    spec.nodes.map(({ target, labels, container }) => [
      target.host,
      labels,
      container?.env,
      container?.mounts.map(({ source }) => source),
    ]),
  ).toEqual([
    ['airlift-dev-worker-0', {}, { A: 'b' }, []],
    ['airlift-dev-worker-1', {}, {}, ['airlift-dev-worker-1-mount-own']],
    ['airlift-dev-worker-3', { a: 'b' }, { A: 'b' }, []],
  ])
  // The first master publishes, whatever its number.
  expect(spec.containers?.ports[0]).toMatchObject({ via: 'proxy', group: 'all' })
  await expect(build({ ...flags, env: ['A=b@workers:2'] }, options)).rejects.toMatchObject({
    message: expect.stringContaining('matches nothing at 2'),
    hint: expect.stringContaining('masters:1, workers:0 to workers:1, workers:3, all'),
  })
})
