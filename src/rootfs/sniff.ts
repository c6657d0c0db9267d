import { AirliftError } from '../core/errors.js'

const MAGICS: readonly (readonly [string, string, string])[] = [
  ['1f8b', 'a gzip file', 'unpack it first: gunzip'],
  ['28b52ffd', 'a zstd file', 'unpack it first: zstd -d'],
  ['425a68', 'a bzip2 file', 'unpack it first: bunzip2'],
  ['fd377a585a00', 'an xz file', 'unpack it first: unxz'],
  ['04224d18', 'an lz4 file', 'unpack it first: lz4 -d'],
  ['7f454c46', 'a program (ELF)', 'build a bundle with it: airlift rootfs build --binary FILE …'],
  ['504b0304', 'a zip file', 'name a bundle that `airlift rootfs build` made'],
]

/** What a file is by its first bytes, for people; undefined when they say nothing. */
export function sniffFile(head: Buffer): { readonly what: string; readonly remedy: string } | undefined {
  const hex = head.subarray(0, 8).toString('hex')
  const magic = MAGICS.find(([start]) => hex.startsWith(start))
  if (magic) return { what: magic[1], remedy: magic[2] }
  const text = head.toString('latin1').trimStart().toLowerCase()
  if (text.startsWith('<!doctype') || text.startsWith('<html')) {
    return { what: 'an HTML page', remedy: 'the download gave an error page: download the bundle again' }
  }
  if (text.startsWith('#!'))
    return { what: 'a script', remedy: 'name a bundle that `airlift rootfs build` made' }
  return undefined
}

/** The error for a file that is no bundle, telling what it is instead. */
export function notABundle(
  path: string,
  head: Buffer,
  members: readonly string[],
  fileSize: number,
): AirliftError {
  const error = (what: string, hint: string): AirliftError =>
    new AirliftError('E_BUNDLE_INVALID', `${path} is not a bundle: it is ${what}`, { hint })
  if (fileSize === 0) return error('empty', 'build or copy the bundle again')
  if (members.includes('manifest.json')) {
    return error(
      'an image archive as `docker save` makes them',
      'build a bundle with it: airlift rootfs build --images FILE …',
    )
  }
  const sniffed = sniffFile(head)
  if (sniffed) return error(sniffed.what, sniffed.remedy)
  if (members.length > 0)
    return error(`a tar with ${members[0]}`, 'name a bundle that `airlift rootfs build` made')
  return error('no tar archive', 'name a bundle that `airlift rootfs build` made')
}
