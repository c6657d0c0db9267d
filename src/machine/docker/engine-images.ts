import { Readable } from 'node:stream'
import { isAirliftError } from '../../core/errors.js'
import type { Engine, EngineImage } from './engine.js'
import { engineError } from './engine-error.js'
import type { EngineHttp, EngineQuestion } from './engine-http.js'
import { lineError, lineText, readNdjson } from './ndjson.js'

/** What an engine can do with images. */
export type ImageMethods = Pick<
  Engine,
  | 'image'
  | 'images'
  | 'imagesNamed'
  | 'checkPull'
  | 'pullImage'
  | 'importImage'
  | 'saveImages'
  | 'removeImage'
>

interface ImageAnswer {
  readonly Id: string
  readonly RepoTags?: readonly string[] | null
  readonly Architecture?: string
  readonly Size?: number
  readonly Config?: {
    readonly Labels?: Readonly<Record<string, string>> | null
    readonly Entrypoint?: readonly string[] | null
    readonly Env?: readonly string[] | null
  } | null
}

/** What the methods about images need beside the engine's HTTP. */
export interface ImageMethodsParts {
  readonly http: EngineHttp
  readonly url: string
  /** Whether a save can be limited to one platform: API 1.48, Docker 28. */
  readonly savesPlatform: boolean
  /** The header `X-Registry-Auth` for an image; undefined where the user has none. */
  readonly auth: (ref: string) => Promise<string | undefined>
}

/** Longest wait for a registry that is only asked: a computer without a way out must not wait for the engine's own patience. */
const ASK_MS = 20_000

/** The methods of an engine that are about images. */
export function imageMethods({ http, url, savesPlatform, auth }: ImageMethodsParts): ImageMethods {
  const about = (name: string, verb: string): EngineQuestion => ({ subject: { kind: 'image', name, verb } })
  const image: Engine['image'] = async (ref) => {
    const question: EngineQuestion = { ...about(ref, 'look at image'), absent: 404 }
    const answer = await http.json('GET', `/images/${imagePath(ref)}/json`, question)
    return answer ? readImage(answer as ImageAnswer) : undefined
  }
  /** Reads progress to its end. @throws AirliftError for the error that comes inside of it */
  const follow = async (
    stream: Readable | undefined,
    { subject }: EngineQuestion,
    onLine: (line: string) => void,
  ): Promise<void> => {
    try {
      for await (const line of readNdjson(stream ?? Readable.from([]))) {
        const text = lineError(line)
        if (text !== undefined) throw engineError({ text, status: 500 }, { ...subject, url })
        onLine(lineText(line))
      }
    } catch (cause) {
      if (isAirliftError(cause)) throw cause
      throw engineError({ text: (cause as Error).message, cause }, { ...subject, url })
    }
  }

  const list = async (filters: Readonly<Record<string, readonly string[]>>): Promise<EngineImage[]> => {
    const found = (await http.json('GET', '/images/json', {
      ...about('', 'list images'),
      query: { filters: Object.keys(filters).length > 0 ? filters : undefined },
    })) as readonly { readonly Id: string }[]
    const each = await Promise.all(found.map(({ Id }) => image(Id)))
    return each.flatMap((one) => (one ? [one] : []))
  }

  return {
    image,
    images: (labels) => list(labels.length > 0 ? { label: labels } : {}),
    imagesNamed: (repositories) => list({ reference: repositories }),
    async checkPull(ref) {
      const header = await auth(ref)
      const signal = AbortSignal.timeout(ASK_MS)
      const question: EngineQuestion = {
        ...about(ref, 'look up image'),
        signal,
        ...(header ? { headers: { 'X-Registry-Auth': header } } : {}),
      }
      try {
        await http.json('GET', `/distribution/${imagePath(ref)}/json`, question)
      } catch (error) {
        if (signal.aborted) {
          const text = `the registry says nothing for ${ASK_MS / 1000} s`
          throw engineError({ text, status: 504 }, { ...question.subject, url })
        }
        // Podman has no such question: a pull will tell.
        if (isAirliftError(error) && /is not supported|page not found/i.test(error.message)) return
        throw error
      }
    },
    async pullImage(ref, onProgress = () => {}) {
      const header = await auth(ref)
      const { name, tag } = splitRef(ref)
      const question: EngineQuestion = {
        ...about(ref, 'pull image'),
        query: { fromImage: name, tag },
        ...(header ? { headers: { 'X-Registry-Auth': header } } : {}),
      }
      await follow(await http.stream('POST', '/images/create', question), question, onProgress)
    },
    async importImage(ref, tar, changes) {
      const { name, tag } = splitRef(ref)
      const question: EngineQuestion = {
        ...about(ref, 'make image'),
        query: { fromSrc: '-', repo: name, tag, changes: changes.length > 0 ? changes : undefined },
        file: tar,
      }
      try {
        await follow(await http.stream('POST', '/images/create', question), question, () => {})
      } finally {
        tar.destroy()
      }
    },
    async saveImages(refs, platform) {
      const [os, architecture, variant] = (platform ?? '').split('/')
      const limited = platform !== undefined && savesPlatform
      const question: EngineQuestion = {
        ...about(refs.join(', '), 'save image'),
        query: {
          names: refs,
          platform: limited ? { os, architecture, ...(variant ? { variant } : {}) } : undefined,
        },
      }
      return (await http.stream('GET', '/images/get', question)) ?? Readable.from([])
    },
    async removeImage(ref) {
      const question: EngineQuestion = { ...about(ref, 'remove image'), absent: 404 }
      await http.json('DELETE', `/images/${imagePath(ref)}`, question)
    },
  }
}

/** A reference as a part of a path: its slashes stay. */
function imagePath(ref: string): string {
  return ref.split('/').map(encodeURIComponent).join('/')
}

/** Name and tag, as the API takes them; a digest stays with the name. Without a tag the engine would pull all of them. */
export function splitRef(ref: string): { readonly name: string; readonly tag?: string } {
  if (ref.includes('@')) return { name: ref }
  const found = /^(.*):([^:/]+)$/.exec(ref)
  return found ? { name: found[1] ?? ref, tag: found[2] ?? 'latest' } : { name: ref, tag: 'latest' }
}

function readImage(answer: ImageAnswer): EngineImage {
  return {
    id: answer.Id,
    tags: answer.RepoTags ?? [],
    arch: answer.Architecture ?? '',
    sizeBytes: answer.Size ?? 0,
    labels: answer.Config?.Labels ?? {},
    entrypoint: answer.Config?.Entrypoint ?? [],
    env: answer.Config?.Env ?? [],
  }
}
