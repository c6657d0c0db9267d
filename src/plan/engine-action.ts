import type { ContainerConfig } from '../machine/docker/engine.js'

/** Something to put into a container before it starts; `content` may hold `{{secret:NAME}}`. */
export type ContainerEntry =
  | {
      readonly path: string
      readonly mode: string
      readonly content: string
      readonly base64?: boolean
    }
  /** A directory, made with its mode. */
  | { readonly path: string; readonly mode: string; readonly directory: true }
  /** A symbolic link. */
  | { readonly path: string; readonly link: string }

/** An image archive of the rootfs, as a file in a volume. */
export interface VolumeBlob {
  readonly sha256: string
  readonly sizeBytes: number
  /** Path inside the volume. */
  readonly path: string
}

/**
 * What is asked of a container engine. Every action can be repeated: what is there already as described is left alone, and
 * removing what is not there is no error.
 */
export type EngineAction =
  | {
      readonly kind: 'network'
      readonly op: 'create'
      readonly name: string
      readonly subnet: string
      readonly gateway: string
      /** Of IPv6, for a network of both families. */
      readonly subnet6?: string
      readonly gateway6?: string
      readonly labels: Readonly<Record<string, string>>
    }
  | {
      readonly kind: 'network'
      readonly op: 'remove'
      readonly name: string
      /**
       * Containers to be taken off it first, while they are being removed: both take an engine as long. Where that does not
       * leave it unused, it stays, and is removed again when they are gone.
       */
      readonly detach?: readonly string[]
    }
  | {
      readonly kind: 'volume'
      readonly op: 'create'
      readonly name: string
      readonly labels: Readonly<Record<string, string>>
    }
  | { readonly kind: 'volume'; readonly op: 'remove'; readonly name: string }
  | { readonly kind: 'image'; readonly op: 'pull'; readonly ref: string }
  /** Makes the node image from the binary of the rootfs, on the engine alone. */
  | { readonly kind: 'image'; readonly op: 'build'; readonly ref: string; readonly arch: string }
  /** Puts image archives of the rootfs into a volume; those that are there are skipped. */
  | {
      readonly kind: 'image'
      readonly op: 'fill'
      readonly volume: string
      readonly image: string
      readonly labels: Readonly<Record<string, string>>
      readonly blobs: readonly VolumeBlob[]
    }
  /** Creates a container and puts its files in with one archive, before it ever starts. */
  | {
      readonly kind: 'container'
      readonly op: 'create'
      readonly config: ContainerConfig
      readonly files: readonly ContainerEntry[]
    }
  | {
      readonly kind: 'container'
      readonly op: 'start' | 'stop' | 'restart' | 'remove'
      readonly name: string
      /** Of a stop: how long it may take before it is killed. Default 10. */
      readonly timeoutSeconds?: number
      /** Of a start or stop: whether it comes back with the engine from now on; set before. */
      readonly restart?: 'no' | 'always'
    }
  /** Sets whether it is started again when it ends; it goes on as it is. */
  | {
      readonly kind: 'container'
      readonly op: 'policy'
      readonly name: string
      readonly restart: 'no' | 'always'
    }
  /** Puts a container that does not run into a network again, which was removed and made anew. */
  | {
      readonly kind: 'container'
      readonly op: 'attach'
      readonly name: string
      readonly network: string
      readonly address?: string
      readonly address6?: string
    }
  | { readonly kind: 'container'; readonly op: 'rename'; readonly name: string; readonly to: string }

const KINDS = new Set(['network', 'volume', 'image', 'container'])

/** Whether an action is for the engine rather than for the inside of a machine. */
export function isEngineAction(action: { readonly kind: string }): action is EngineAction {
  return KINDS.has(action.kind)
}

/** How an engine action is carried out; given to the interpreter by the operation. */
export type EngineHandler = (
  action: EngineAction,
  options: {
    /** Texts with their secrets filled in. */
    readonly fill: (text: string) => string
    readonly signal: AbortSignal
    readonly onProgress: (sentBytes: number, totalBytes: number) => void
  },
) => Promise<void>
