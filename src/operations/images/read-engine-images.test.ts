import { describe, expect, it } from 'vitest'
import { createContext } from '../../core/context.js'
import type { Arch } from '../../rootfs/manifest.js'
import type { ImageArchive } from '../../rootfs/oci/source-image.js'
import type { ImageRecord } from '../../runtime/images/node-images.js'
import type { EngineSources } from './engine-images.js'
import type { ImageNode } from './image-nodes.js'
import { readEngineImages } from './read-engine-images.js'

const DIGEST = `sha256:${'d'.repeat(64)}`
interface Saved {
  readonly names: readonly string[]
  readonly arch: Arch
  readonly signal: AbortSignal
  closed: boolean
}

/** Docker with images of one platform, that notes what is read from it. */
function docker(names: readonly string[], given: Partial<EngineSources> & { readonly hangs?: boolean } = {}) {
  const saved: Saved[] = []
  const sources: EngineSources = {
    images: names.map((name) => ({ ref: name, name, id: DIGEST, arch: 'amd64', sizeBytes: 1 })),
    manyPlatforms: false,
    async [Symbol.asyncDispose]() {},
    save(wanted, arch, _dir, signal) {
      const one: Saved = { names: [...wanted], arch, signal, closed: false }
      saved.push(one)
      const archive: ImageArchive = {
        path: `${arch}.tar`,
        images: [],
        skipped: [],
        close: async () => {
          one.closed = true
        },
      }
      if (!given.hangs) return Promise.resolve(archive)
      return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
    },
    ...given,
  }
  return { saved, reader: readEngineImages(sources, '/tmp', createContext({})) }
}

function node(names: readonly string[], arch: Arch = 'amd64'): ImageNode {
  const records = new Map<string, ImageRecord>(
    names.map((name) => [name, { digest: DIGEST, whole: true, unpacked: true }]),
  )
  const images = { arch, freeBytes: undefined, records, blobs: new Set<string>() }
  return { id: 'n', node: 'n', role: 'worker', found: { machine: undefined as never, images, arch } }
}

describe('readEngineImages', () => {
  it('begins to read as soon as one node lacks all, and reads once', async () => {
    const { saved, reader } = docker(['a', 'b'])
    reader.see(node([]))
    expect(saved).toMatchObject([{ names: ['a', 'b'], arch: 'amd64' }])
    reader.see(node([]))
    const { settled, archives } = await reader.finish([node([]), node(['a', 'b']), node([])])
    expect([settled, archives.map(({ path }) => path), saved.length]).toEqual([[], ['amd64.tar'], 1])
    // Who was given them closes them.
    await reader[Symbol.asyncDispose]()
    expect(saved[0]?.closed).toBe(false)
  })

  it('waits for all where a node has some, and reads what is left', async () => {
    const { saved, reader } = docker(['a', 'b'])
    reader.see(node(['a']))
    expect(saved).toEqual([])
    const { settled } = await reader.finish([node(['a']), node(['a', 'b'])])
    expect(settled.map(({ name }) => name)).toEqual(['a'])
    expect(saved).toMatchObject([{ names: ['b'] }])
  })

  it('reads nothing that every node has', async () => {
    const { saved, reader } = docker(['a'])
    reader.see(node(['a']))
    expect(await reader.finish([node(['a'])])).toMatchObject({ archives: [], settled: [{ name: 'a' }] })
    expect(saved).toEqual([])
  })

  it('reads each platform once, where Docker has many', async () => {
    const { saved, reader } = docker(['a'], { manyPlatforms: true })
    reader.see(node([], 'arm64'))
    const { archives } = await reader.finish([node([]), node([], 'arm64')])
    expect(archives.map(({ path }) => path)).toEqual(['amd64.tar', 'arm64.tar'])
    expect(saved.map(({ arch }) => arch)).toEqual(['arm64', 'amd64'])
  })

  it('gives up what it reads when another node is of another platform', async () => {
    const { saved, reader } = docker(['a'], { hangs: true })
    reader.see(node([]))
    await expect(reader.finish([node([]), node([], 'arm64')])).rejects.toMatchObject({
      code: 'E_IMAGE_INVALID',
    })
    await reader[Symbol.asyncDispose]()
    expect(saved[0]?.signal.aborted).toBe(true)
  })

  it('closes what it has read and nobody took', async () => {
    const { saved, reader } = docker(['a'])
    reader.see(node([]))
    await reader[Symbol.asyncDispose]()
    expect(saved[0]?.closed).toBe(true)
  })
})
