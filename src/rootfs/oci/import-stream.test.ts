import { mkdtempSync, rmSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { dockerArchive, layer, write } from '../archives.fixture.js'
import { sha256 } from '../digest.js'
import { scanTar } from '../tar/scan.js'
import { type ImportStream, layoutImport, type NamedImage } from './import-stream.js'
import { openImages } from './open-images.js'
import type { ImageArchive } from './source-image.js'

let dir: string
const opened: ImageArchive[] = []
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'airlift-import-'))
})
afterEach(async () => {
  for (const archive of opened.splice(0)) await archive.close()
  rmSync(dir, { recursive: true, force: true })
})

const base = layer('base')
const top = layer('top')

async function images(): Promise<NamedImage[]> {
  const content = dockerArchive([
    { names: ['a:1', 'a:2'], layers: [base] },
    { names: ['b:1'], layers: [base, top] },
  ])
  const archive = await openImages(write(join(dir, 'in.tar'), content), dir, new AbortController().signal)
  opened.push(archive)
  return archive.images.map((image) => ({ image, names: image.names }))
}

async function members(stream: ImportStream): Promise<{ names: string[]; text: (name: string) => string }> {
  const chunks: Buffer[] = []
  for await (const chunk of stream.chunks()) chunks.push(chunk)
  const bytes = Buffer.concat(chunks)
  expect(bytes.length).toBe(stream.size)
  const file = await open(write(join(dir, 'out.tar'), bytes), 'r')
  try {
    const { members, cut } = await scanTar(file, bytes.length)
    expect(cut).toBeUndefined()
    const text = (name: string): string => {
      const { offset = 0, size = 0 } = members.get(name) ?? {}
      return bytes.subarray(offset, offset + size).toString('utf8')
    }
    return { names: [...members.keys()], text }
  } finally {
    await file.close()
  }
}

describe('layoutImport', () => {
  it('holds every image with each of its names, and a layer that two share once', async () => {
    const all = await images()
    const { names, text } = await members(layoutImport(all, new Set()))
    expect(names.slice(0, 2)).toEqual(['oci-layout', 'index.json'])
    // Two manifests, two configurations, two layers.
    expect(names.filter((name) => name.startsWith('blobs/sha256/'))).toHaveLength(6)
    expect(new Set(names).size).toBe(names.length)
    const index = JSON.parse(text('index.json'))
    expect(
      index.manifests.map((entry: { annotations: Record<string, string>; digest: string }) => [
        entry.annotations['io.containerd.image.name'],
        sha256(text(`blobs/sha256/${entry.digest.slice(7)}`)),
      ]),
    ).toEqual(all.flatMap(({ image, names: own }) => own.map((name) => [name, image.digest.slice(7)])))
  })

  it('leaves out what the other side has, but never a manifest', async () => {
    const all = await images()
    const held = new Set(all.flatMap(({ image }) => [...image.blobs.keys(), image.digest.slice(7)]))
    held.delete(sha256(top))
    const { names } = await members(layoutImport(all, held))
    const blobs = names.filter((name) => name.startsWith('blobs/')).map((name) => name.slice(-64))
    expect(blobs.sort()).toEqual([sha256(top), ...all.map(({ image }) => image.digest.slice(7))].sort())
  })

  it('has no manifest.json: an importer of docker archives would miss the layers that were left out', async () => {
    const { names } = await members(layoutImport(await images(), new Set()))
    expect(names).not.toContain('manifest.json')
  })
})
