import { AirliftError } from '../../core/errors.js'
import type { Descriptor, OciIndex, OciManifest } from './types.js'

/** What a file from elsewhere holds is not what its name promises until it was looked at. */
type Guard<T> = (value: unknown) => value is T

/** JSON of a shape; undefined for what is no JSON, or JSON of another shape. */
export function parseAs<T>(bytes: Buffer, is: Guard<T>): T | undefined {
  try {
    const value: unknown = JSON.parse(bytes.toString('utf8'))
    return is(value) ? value : undefined
  } catch {
    return undefined
  }
}

/** The same, of a file in an archive of images. @throws AirliftError E_LOCAL_FILE naming the archive and the file */
export function requireJson<T>(archive: string, name: string, bytes: Buffer, is: Guard<T>): T {
  const value = parseAs(bytes, is)
  if (value !== undefined) return value
  throw new AirliftError('E_LOCAL_FILE', `${archive} is damaged: ${name} cannot be read`, {
    hint: 'export or download the archive again',
  })
}

/** Whether a value is an object of JSON: no array and not null. */
export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Whether a value is a list whose items all pass. */
export function isListOf<T>(value: unknown, is: Guard<T>): value is T[] {
  return Array.isArray(value) && value.every(is)
}

/** Whether a value is a text. */
export function isText(value: unknown): value is string {
  return typeof value === 'string'
}

/** Whether a value refers to a blob. */
export function isDescriptor(value: unknown): value is Descriptor {
  if (!isRecord(value) || !isText(value.digest) || typeof value.size !== 'number') return false
  const { annotations, platform } = value
  const texts =
    annotations === undefined || (isRecord(annotations) && Object.values(annotations).every(isText))
  return texts && (platform === undefined || isRecord(platform))
}

/** Whether a value is an index of manifests. */
export function isOciIndex(value: unknown): value is OciIndex {
  return isRecord(value) && isListOf(value.manifests, isDescriptor)
}

/** Whether a value is the manifest of an image or an artifact. */
export function isOciManifest(value: unknown): value is OciManifest {
  return isRecord(value) && isDescriptor(value.config) && isListOf(value.layers, isDescriptor)
}
