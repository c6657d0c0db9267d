import { describe, expect, it } from 'vitest'
import type { NodeSpec } from '../../cluster/spec.js'
import { plainSsh } from '../../cluster/ssh.fixture.js'
import { createContext } from '../../core/context.js'
import { AirliftError } from '../../core/errors.js'
import { createFakeMachine } from '../../machine/fake/fake-machine.js'
import type { Machine } from '../../machine/machine.js'
import { connectInOrder } from '../connect-in-order.fixture.js'
import { type ImageList, listImages } from './list-images.js'

interface Row {
  readonly id: string
  readonly repoTags?: readonly string[]
  readonly repoDigests?: readonly string[]
}

const node = (name: string, images: readonly Row[], arch = 'x86_64'): Machine => {
  const json = JSON.stringify({ images: images.map((image) => ({ ...image, size: '1000', pinned: false })) })
  return createFakeMachine({
    id: `ssh://root@${name}:22`,
    name,
    on: [
      { match: 'uname -n', reply: `${name}\n` },
      { match: 'crictl images -o json', reply: `@@arch ${arch}\n@@json\n${json}\n` },
    ],
  })
}

function list(...machines: (Machine | AirliftError)[]): Promise<ImageList> {
  const nodes = machines.map(
    (_, index): NodeSpec => ({
      target: { kind: 'ssh', text: `n${index}`, host: `n${index}` },
      role: 'worker',
      labels: {},
      taints: [],
    }),
  )
  const selection = { cluster: { name: 'dev', masters: [], nodes, ssh: plainSsh }, roles: [], on: [] }
  return listImages({ selection }, createContext({ env: {} }), connectInOrder(...machines))
}
const seen = ({ images }: ImageList): unknown =>
  images.map(({ name, same, nodes, missing }) => [
    name,
    same,
    nodes.map((one) => `${one.node} ${one.id}`),
    missing,
  ])

describe('listImages', () => {
  it('compares names over nodes', async () => {
    const result = await list(
      node('a', [
        { id: 'one', repoTags: ['x/b:1', 'x/a:1'] },
        { id: 'two', repoTags: ['x/c:1'] },
      ]),
      node('b', [
        { id: 'one', repoTags: ['x/a:1'] },
        { id: 'other', repoTags: ['x/c:1'] },
      ]),
    )
    expect(seen(result)).toEqual([
      ['x/a:1', true, ['a one', 'b one'], []],
      ['x/b:1', false, ['a one'], ['b']],
      ['x/c:1', false, ['a two', 'b other'], []],
    ])
    expect(result).toMatchObject({ operation: 'image list', outcome: 'done', name: 'dev' })
  })

  it('expects different images on different architectures, and the same ones on each', async () => {
    const image = (id: string): Row => ({ id, repoTags: ['x/a:1'] })
    const same = await list(node('a', [image('one')]), node('b', [image('two')], 'aarch64'))
    expect(same.images[0]?.same).toBe(true)
    const different = await list(
      node('a', [image('one')]),
      node('b', [image('two')], 'aarch64'),
      node('c', [image('three')], 'aarch64'),
    )
    expect(different.images[0]?.same).toBe(false)
  })

  it('leaves out what has no name, and names by digest what has no tag', async () => {
    const result = await list(node('a', [{ id: 'one' }, { id: 'two', repoDigests: ['x/a@sha256:1'] }]))
    expect(result.images.map(({ name }) => name)).toEqual(['x/a@sha256:1'])
  })

  it('does not take a node that could not be asked for one that lacks everything', async () => {
    const away = new AirliftError('E_SSH_UNREACHABLE', 'nobody there')
    const result = await list(node('a', [{ id: 'one', repoTags: ['x/a:1'] }]), away)
    expect(result.outcome).toBe('partial')
    expect(result.images[0]).toMatchObject({ same: true, missing: [] })
    expect(result.machines.map(({ error }) => error?.code)).toEqual([undefined, 'E_SSH_UNREACHABLE'])
    expect((await list(away)).outcome).toBe('failed')
  })
})
