import { existsSync, statSync } from 'node:fs'
import { AirliftError } from '../../core/errors.js'
import { normalizeImageName } from '../../rootfs/oci/image-name.js'

/** What one word of `image import` names. */
export type ImageWord =
  | { readonly kind: 'stdin' }
  /** An archive, or the directory of an OCI layout. */
  | { readonly kind: 'path'; readonly path: string }
  /** An image of the Docker daemon: as it was typed, and in full. */
  | { readonly kind: 'name'; readonly ref: string; readonly name: string }

const PATH_LIKE = /^[./~]|\/$|\.(tar|tgz|tzst|zip|(tar\.)?(gz|zst|xz|bz2|lz4))$/i

/**
 * Tells what words name: `-` is standard input; what is a file, or the directory of a layout, or is written like a path, is
 * one; all else is the name of an image.
 * @throws AirliftError E_USAGE, E_LOCAL_FILE, E_IMAGE_INVALID
 */
export function readImageWords(words: readonly string[]): ImageWord[] {
  if (words.length === 0) {
    throw new AirliftError('E_USAGE', 'no image is named', {
      hint: 'give images of the Docker daemon, archives, OCI layouts, or - for standard input',
    })
  }
  if (words.filter((word) => word === '-').length > 1) {
    throw new AirliftError('E_USAGE', '"-" is given twice, and standard input can be read once', {
      hint: 'put all images into one archive: docker save A B | airlift image import -',
    })
  }
  return [...new Set(words)].map(readWord)
}

function readWord(word: string): ImageWord {
  if (word === '-') return { kind: 'stdin' }
  const info = statSync(word, { throwIfNoEntry: false })
  if (info && (info.isFile() || info.isFIFO() || existsSync(`${word}/oci-layout`) || PATH_LIKE.test(word))) {
    return { kind: 'path', path: word }
  }
  if (PATH_LIKE.test(word)) {
    throw new AirliftError('E_LOCAL_FILE', `cannot read ${word}: no such file or directory`, {
      hint: 'name an archive of images, the directory of an OCI layout, or an image of the Docker daemon',
    })
  }
  const name = normalizeImageName(word)
  if (!name) {
    throw new AirliftError('E_IMAGE_INVALID', `"${word}" is neither a file here nor the name of an image`, {
      hint: 'names are written like registry.example.com/team/app:1.0, in lower case',
    })
  }
  if (name.includes('@')) {
    throw new AirliftError(
      'E_IMAGE_INVALID',
      `"${word}" names an image by its digest, which a saved image does not keep`,
      {
        hint: 'give it a tag and import that: docker tag IMAGE NAME:TAG',
      },
    )
  }
  return { kind: 'name', ref: word, name }
}
