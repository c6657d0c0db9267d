import { AirliftError } from '../../core/errors.js'
import type { Arch } from '../manifest.js'
import type { ImageArchive, SourceImage } from './source-image.js'

/**
 * Brings the images of all archives together: the chosen architectures only, each image once, with all of its names.
 * @throws AirliftError E_LOCAL_FILE when one name stands for two images of an architecture, or an archive has none to give
 */
export function collectImages(archives: readonly ImageArchive[], archs: readonly Arch[]): SourceImage[] {
  const images = new Map<string, SourceImage>()
  const owners = new Map<string, { readonly digest: string; readonly path: string }>()
  for (const archive of archives) {
    const wanted = archive.images.filter((image) => archs.includes(image.arch))
    if (wanted.length === 0) {
      const others = [...new Set(archive.images.map((image) => image.arch))].join(', ')
      throw new AirliftError(
        'E_LOCAL_FILE',
        `${archive.path} holds no image for ${archs.join(', ')}${others ? `, only for ${others}` : ''}`,
        {
          hint: others
            ? `add --arch ${others}, or give another archive`
            : 'give another archive with --images',
        },
      )
    }
    for (const image of wanted) {
      for (const name of image.names) {
        const key = `${name} ${image.arch}`
        const before = owners.get(key)
        if (before && before.digest !== image.digest) {
          const places = before.path === archive.path ? archive.path : `${before.path} and ${archive.path}`
          throw new AirliftError(
            'E_LOCAL_FILE',
            `${name} is two different images (${image.arch}) in ${places}`,
            {
              hint: 'leave one of them out: a name can stand for one image only',
            },
          )
        }
        owners.set(key, { digest: image.digest, path: archive.path })
      }
      const known = images.get(image.digest)
      images.set(
        image.digest,
        known ? { ...known, names: [...new Set([...known.names, ...image.names])].sort() } : image,
      )
    }
  }
  return [...images.values()].sort((a, b) => (a.digest < b.digest ? -1 : 1))
}
