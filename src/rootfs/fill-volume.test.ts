import { createHash, randomBytes } from 'node:crypto'
import { Readable } from 'node:stream'
import { expect, it } from 'vitest'
import { AirliftError } from '../core/errors.js'
import { createFakeEngine } from '../machine/docker/fake-engine.js'
import type { VolumeBlob } from '../plan/engine-action.js'
import { fillVolume } from './fill-volume.js'
import type { BlobSource } from './manifest.js'

const sha = (content: Buffer): string => createHash('sha256').update(content).digest('hex')
const contents = [Buffer.from('pause'), randomBytes(100_000), Buffer.alloc(512, 'x')]
const blobs: VolumeBlob[] = contents.map((content, i) => ({
  sha256: sha(content),
  sizeBytes: content.length,
  // The last name is longer than a header of tar can hold.
  path: i === 2 ? `${'mirrored-'.repeat(14)}x.tar` : `image-${i}.tar`,
}))

function source(opened: string[], fail?: string): BlobSource {
  return {
    openBlob: (digest) => {
      opened.push(digest)
      const content = contents.find((entry) => sha(entry) === digest) ?? Buffer.alloc(0)
      if (digest !== fail) return Readable.from([content])
      return Readable.from(
        (async function* () {
          yield content.subarray(0, 2)
          throw new AirliftError('E_BUNDLE_DAMAGED', 'k3s.airlift is damaged')
        })(),
      )
    },
    describeBlob: (digest) => digest,
  }
}

const request = { volume: 'airlift-dev-images', image: 'img', labels: { 'airlift.cluster': 'dev' }, blobs }
const signal = new AbortController().signal

it('puts archives into a volume through a container that never runs, and leaves none behind', async () => {
  const engine = createFakeEngine({ images: { img: {} } })
  await engine.createVolume(request.volume, {})
  const sent: number[] = []
  const total = contents.reduce((sum, content) => sum + content.length, 0)
  await fillVolume(engine, request, source([]), { signal, onProgress: (bytes) => sent.push(bytes) })
  const files = engine.volumeFiles(request.volume)
  for (const [i, blob] of blobs.entries()) {
    expect(files.get(`/${blob.path}`)).toMatchObject({ mode: '0644', content: contents[i] })
    expect(files.has(`/.airlift/${blob.sha256}`)).toBe(true)
  }
  expect(sent.at(-1)).toBe(total)
  expect(await engine.containers([])).toEqual([])
  expect(engine.calls.some((call) => call.method === 'startContainer')).toBe(false)
})

it('passes over what is there whole', async () => {
  const engine = createFakeEngine({ images: { img: {} } })
  await engine.createVolume(request.volume, {})
  const first = { ...request, blobs: blobs.slice(0, 2) }
  await fillVolume(engine, first, source([]), { signal, onProgress: () => {} })
  const opened: string[] = []
  await fillVolume(engine, request, source(opened), { signal, onProgress: () => {} })
  expect(opened).toEqual([blobs[2]?.sha256])
  opened.length = 0
  await fillVolume(engine, request, source(opened), { signal, onProgress: () => {} })
  expect(opened).toEqual([])
})

it('says what is damaged, marks nothing of it as whole, and leaves no container', async () => {
  const engine = createFakeEngine({ images: { img: {} } })
  await engine.createVolume(request.volume, {})
  const damaged = source([], blobs[1]?.sha256)
  const filled = fillVolume(engine, request, damaged, { signal, onProgress: () => {} })
  await expect(filled).rejects.toMatchObject({ code: 'E_BUNDLE_DAMAGED' })
  expect([...engine.volumeFiles(request.volume).keys()]).not.toContain(`/.airlift/${blobs[1]?.sha256}`)
  expect(await engine.containers([])).toEqual([])
})

it('stops when it is interrupted, and leaves no container', async () => {
  const engine = createFakeEngine({ images: { img: {} } })
  await engine.createVolume(request.volume, {})
  const controller = new AbortController()
  const onProgress = (): void => controller.abort(new AirliftError('E_INTERRUPTED', 'interrupted'))
  const filled = fillVolume(engine, request, source([]), { signal: controller.signal, onProgress })
  await expect(filled).rejects.toMatchObject({ code: 'E_INTERRUPTED' })
  expect(await engine.containers([])).toEqual([])
})
