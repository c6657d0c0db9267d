import pLimit from 'p-limit'
import type { Role } from '../../cluster/spec.js'
import type { Context } from '../../core/context.js'
import { AirliftError, toAirliftError } from '../../core/errors.js'
import { type CriImage, parseCriImages } from '../../runtime/images/node-images.js'
import { listScript } from '../../runtime/images/scripts.js'
import { type MachineSelection, selectMachines } from '../select-machines.js'
import type { OperationDeps } from '../session.js'

/** An image as one node has it. */
export interface ListedOn {
  readonly machine: string
  readonly node: string
  /** `sha256:…` of its configuration. */
  readonly id: string
  readonly sizeBytes: number
  /** Kept by the kubelet, whatever it needs room for. */
  readonly pinned: boolean
}

/** One name across the nodes. */
export interface ListedImage {
  readonly name: string
  /** False when some node lacks it, or has another image under the name. */
  readonly same: boolean
  readonly nodes: readonly ListedOn[]
  /** Names of the nodes that lack it. */
  readonly missing: readonly string[]
}

/** One machine that was asked. */
export interface ListedMachine {
  readonly machine: string
  readonly node: string
  readonly role: Role
  /** `x86_64`; null when it could not be asked. */
  readonly arch: string | null
  readonly error: { readonly code: string; readonly message: string; readonly hint: string | null } | null
}

/** The images of a cluster. */
export interface ImageList {
  readonly operation: 'image list'
  readonly outcome: 'done' | 'partial' | 'failed'
  readonly name: string
  readonly images: readonly ListedImage[]
  readonly machines: readonly ListedMachine[]
}

interface Asked {
  readonly about: ListedMachine
  readonly images: readonly CriImage[]
}

/**
 * Lists the images of all machines by name, as the kubelet of each sees them.
 * @throws AirliftError E_NO_CLUSTER, E_HOST_INVALID, E_USAGE, E_INTERRUPTED
 */
export async function listImages(
  input: { readonly selection: MachineSelection },
  ctx: Context,
  deps: OperationDeps,
): Promise<ImageList> {
  await using selected = await selectMachines(input.selection, ctx, deps)
  const limit = pLimit(ctx.limits.machines)
  const asked = await Promise.all(
    selected.machines.map(({ id, node, role, machine, error }) =>
      limit(async (): Promise<Asked> => {
        const about = { machine: id, node, role }
        try {
          if (!machine) throw error ?? new AirliftError('E_SSH_LOST', `${node} is not connected`)
          const { stdout, stderr } = await machine.run(listScript(), { signal: ctx.signal, idempotent: true })
          const { arch, images } = parseCriImages(stdout, stderr, machine.name)
          return { about: { ...about, arch, error: null }, images }
        } catch (thrown) {
          const { code, message, hint = null } = toAirliftError(thrown)
          return { about: { ...about, arch: null, error: { code, message, hint } }, images: [] }
        }
      }),
    ),
  )
  ctx.signal.throwIfAborted()
  const good = asked.filter(({ about }) => about.error === null)
  return {
    operation: 'image list',
    outcome: good.length === asked.length ? 'done' : good.length === 0 ? 'failed' : 'partial',
    name: selected.name,
    images: compareImages(good),
    machines: asked.map(({ about }) => about),
  }
}

/** One entry for each name; nodes of different architectures have different images under one name, as it must be. Pure. */
export function compareImages(asked: readonly Asked[]): ListedImage[] {
  const byName = new Map<string, { on: ListedOn; arch: string | null }[]>()
  for (const { about, images } of asked) {
    for (const { id, names, sizeBytes, pinned } of images) {
      for (const name of names) {
        const on = { machine: about.machine, node: about.node, id, sizeBytes, pinned }
        byName.set(name, [...(byName.get(name) ?? []), { on, arch: about.arch }])
      }
    }
  }
  return [...byName]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, found]) => {
      const has = new Set(found.map(({ on }) => on.machine))
      const missing = asked.filter(({ about }) => !has.has(about.machine)).map(({ about }) => about.node)
      const archs = new Set(found.map(({ arch }) => arch))
      const ids = new Set(found.map(({ on, arch }) => `${arch} ${on.id}`))
      return {
        name,
        same: missing.length === 0 && ids.size === archs.size,
        nodes: found.map(({ on }) => on),
        missing,
      }
    })
}
