import { describe, expect, it } from 'vitest'
import { sha256 } from '../../rootfs/digest.js'
import type { ImageRecord, NodeImages } from './node-images.js'
import { isThere, planImport, type WantedImage } from './plan-import.js'

const digest = (text: string): string => `sha256:${sha256(text)}`
const blob = (size: number) => ({ size, chunks: async function* () {} })

/** An image with a configuration of 10 bytes and a layer of 100, and one that it may share. */
function image(key: string, names: readonly string[], shared?: string): WantedImage {
  const blobs = new Map([
    [sha256(`${key} config`), blob(10)],
    [sha256(`${key} layer`), blob(100)],
    ...(shared ? [[sha256(shared), blob(1000)] as const] : []),
  ])
  const manifest = Buffer.from(key)
  const source = { names, arch: 'amd64', manifest, mediaType: 'm', digest: digest(key), blobs } as const
  return { image: source, names, id: digest(`${key} config`) }
}

interface NodeParts {
  /** Name → key of the image. */
  readonly names?: Readonly<Record<string, string>>
  /** Keys of images that the kubelet knows by id; with the manifest that it has, where that is another one. */
  readonly known?: Readonly<Record<string, string>>
  readonly broken?: readonly string[]
  readonly blobs?: readonly string[]
}

function node({ names = {}, known = {}, broken = [], blobs = [] }: NodeParts): NodeImages {
  const records = new Map<string, ImageRecord>()
  for (const [name, key] of Object.entries(names)) {
    records.set(name, { digest: digest(key), whole: !broken.includes(name), unpacked: false })
  }
  for (const [key, manifest] of Object.entries(known)) {
    records.set(digest(`${key} config`), {
      digest: digest(manifest),
      whole: broken.length === 0,
      unpacked: false,
    })
  }
  return { arch: 'amd64', freeBytes: undefined, records, blobs: new Set(blobs.map(sha256)) }
}

describe('planImport', () => {
  it('sends everything to a node that has nothing', () => {
    const a = image('a', ['x/a:1', 'x/a:2'])
    expect(planImport([a], node({}))).toEqual({ present: new Set(), tags: [], send: [a], sendBytes: 110 })
  })

  it('does nothing for what is there', () => {
    const plan = planImport([image('a', ['x/a:1'])], node({ names: { 'x/a:1': 'a' }, known: { a: 'a' } }))
    expect(plan).toEqual({ present: new Set(['x/a:1']), tags: [], send: [], sendBytes: 0 })
  })

  it('takes the same image with another manifest, such as a registry has, for the same', () => {
    const plan = planImport(
      [image('a', ['x/a:1'])],
      node({ names: { 'x/a:1': 'compressed' }, known: { a: 'compressed' } }),
    )
    expect(plan.send).toEqual([])
    expect(plan.tags).toEqual([])
  })

  it('names anew what is there under another name, also where only its id is left', () => {
    const a = image('a', ['x/a:1', 'x/a:2'])
    const both = planImport([a], node({ names: { 'x/a:1': 'a' }, known: { a: 'a' } }))
    expect(both.present).toEqual(new Set(['x/a:1']))
    expect(both.tags).toEqual([{ from: 'x/a:1', names: ['x/a:2'], id: a.id }])
    const alone = planImport([a], node({ known: { a: 'a' } }))
    expect(alone.tags).toEqual([{ from: a.id, names: ['x/a:1', 'x/a:2'], id: a.id }])
    expect(alone.send).toEqual([])
  })

  it('sends again what is not whole, and what another image has taken the name of', () => {
    const a = image('a', ['x/a:1'])
    const parts = { names: { 'x/a:1': 'a' }, known: { a: 'a' } }
    expect(planImport([a], node({ ...parts, broken: ['x/a:1'] })).send).toEqual([a])
    expect(planImport([a], node({ names: { 'x/a:1': 'other' }, known: { other: 'other' } })).send).toEqual([
      a,
    ])
  })

  it('counts a layer that two share once, and not what the node has', () => {
    const images = [image('a', ['x/a:1'], 'base'), image('b', ['x/b:1'], 'base')]
    expect(planImport(images, node({})).sendBytes).toBe(1220)
    const held = node({ blobs: ['base', 'a layer'] })
    expect(planImport(images, held).sendBytes).toBe(120)
    expect(planImport(images, held, true).sendBytes).toBe(1220)
  })
})

describe('isThere', () => {
  it('asks the kubelet too', () => {
    const a = image('a', ['x/a:1'])
    expect(isThere('x/a:1', a, node({ names: { 'x/a:1': 'a' } }))).toBe(false)
    expect(isThere('x/a:1', a, node({ names: { 'x/a:1': 'a' }, known: { a: 'a' } }))).toBe(true)
    expect(isThere('x/a:2', a, node({ names: { 'x/a:1': 'a' }, known: { a: 'a' } }))).toBe(false)
  })
})
