import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import type { ImageMethods } from './engine-images.js'
import type { EngineMethod, FakeEngineOptions, FakeImage } from './fake-engine-types.js'
import { type FakeFile, readTar, writeTar } from './fake-files.js'
import { type FakeStore, hasLabels, normalRef, type StoredImage } from './fake-store.js'

/** The methods of a fake engine that are about images. */
export function fakeImageMethods(
  options: FakeEngineOptions,
  store: FakeStore,
  enter: (method: EngineMethod, ...args: readonly unknown[]) => Promise<void>,
): ImageMethods {
  const missing = (name: string, verb: string): Error =>
    store.error(404, `No such image: ${name}`, { kind: 'image', name, verb })
  const published = (ref: string, verb: string): FakeImage => {
    const wanted = normalRef(ref)
    const found = Object.entries(options.registry ?? {}).find(([name]) => normalRef(name) === wanted)
    if (found) return found[1]
    const text = `manifest for ${wanted} not found: manifest unknown`
    throw store.error(404, text, { kind: 'image', name: ref, verb })
  }
  return {
    async image(ref) {
      await enter('image', ref)
      const found = store.image(ref)
      return found && withoutFiles(found)
    },
    async images(labels) {
      await enter('images', labels)
      return [...store.images.values()].filter((one) => hasLabels(one.labels, labels)).map(withoutFiles)
    },
    async imagesNamed(repositories) {
      await enter('imagesNamed', repositories)
      const named = [...store.images].filter(([tag]) => repositories.includes(tag.replace(/:[^:/]+$/, '')))
      return [...new Set(named.map(([, one]) => one))].map(withoutFiles)
    },
    async checkPull(ref) {
      await enter('checkPull', ref)
      published(ref, 'look up image')
    },
    async pullImage(ref, onProgress) {
      await enter('pullImage', ref)
      const wanted = normalRef(ref)
      const found = published(ref, 'pull image')
      onProgress?.(`Pulling from ${wanted}`)
      store.addImage(wanted, found)
      onProgress?.(`Status: Downloaded newer image for ${wanted}`)
    },
    async importImage(ref, tar, changes) {
      await enter('importImage', ref, changes)
      const files = await readTar(tar, '/')
      const sizeBytes = [...files.values()].reduce((sum, file) => sum + file.content.length, 0)
      store.addImage(ref, { files, sizeBytes, ...readChanges(changes) })
    },
    async saveImages(refs, platform) {
      await enter('saveImages', refs, platform)
      const images = refs.map((ref) => {
        const found = store.image(ref)
        if (!found) throw missing(ref, 'save image')
        return { ref: normalRef(ref), found }
      })
      return Readable.from([dockerArchive(images)])
    },
    async removeImage(ref) {
      await enter('removeImage', ref)
      const found = store.image(ref)
      if (!found) return
      const user = [...store.containers.values()].find((one) => store.image(one.config.image) === found)
      if (user) {
        const text = `conflict: unable to remove repository reference "${ref}" (must force) - container ${user.id} is using its referenced image`
        throw store.error(409, text, { kind: 'image', name: ref, verb: 'remove image' })
      }
      for (const [tag, image] of store.images) if (image === found) store.images.delete(tag)
    },
  }
}

function withoutFiles({ files: _files, ...image }: StoredImage): Omit<StoredImage, 'files'> {
  return image
}

/** What the Dockerfile lines ENTRYPOINT, ENV and LABEL make of an image. */
function readChanges(changes: readonly string[]): {
  entrypoint: readonly string[]
  env: readonly string[]
  labels: Readonly<Record<string, string>>
} {
  const words = (key: string): string[] =>
    changes.filter((line) => line.startsWith(`${key} `)).map((line) => line.slice(key.length + 1).trim())
  const unquoted = (text: string): string => text.replace(/"((?:[^"\\]|\\.)*)"/g, '$1')
  const labels = words('LABEL').map((text) => {
    const [key = '', ...rest] = unquoted(text).split('=')
    return [key, rest.join('=')] as const
  })
  return {
    entrypoint: words('ENTRYPOINT').flatMap((text) => JSON.parse(text) as string[]),
    env: words('ENV').map((text) => unquoted(text)),
    labels: Object.fromEntries(labels),
  }
}

/** What `docker save` of Docker before 25 writes. */
function dockerArchive(images: readonly { readonly ref: string; readonly found: StoredImage }[]): Buffer {
  const members = new Map<string, FakeFile>()
  const add = (path: string, content: Buffer): void => {
    members.set(`/${path}`, { kind: 'file', mode: '0644', content })
  }
  const manifest = images.map(({ ref, found }) => {
    const layer = writeTar(found.files)
    const digest = createHash('sha256').update(layer).digest('hex')
    const config = Buffer.from(
      JSON.stringify({
        architecture: found.arch,
        os: 'linux',
        config: { Entrypoint: found.entrypoint, Env: found.env, Labels: found.labels },
        history: [{ created_by: 'fake' }],
        rootfs: { type: 'layers', diff_ids: [`sha256:${digest}`] },
      }),
    )
    const name = `${createHash('sha256').update(config).digest('hex')}.json`
    add(name, config)
    add(`${digest}/layer.tar`, layer)
    return { Config: name, RepoTags: [ref], Layers: [`${digest}/layer.tar`] }
  })
  add('manifest.json', Buffer.from(JSON.stringify(manifest)))
  return writeTar(members)
}
