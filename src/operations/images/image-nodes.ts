import pLimit from 'p-limit'
import type { Role } from '../../cluster/spec.js'
import type { Context } from '../../core/context.js'
import { AirliftError, toAirliftError } from '../../core/errors.js'
import type { Machine } from '../../machine/machine.js'
import type { Arch } from '../../rootfs/manifest.js'
import { type NodeImages, parseNodeImages } from '../../runtime/images/node-images.js'
import { stateScript } from '../../runtime/images/scripts.js'
import type { SelectedMachines } from '../select-machines.js'

/** A node with what its containerd has, or why that is not known. */
export interface ImageNode {
  readonly id: string
  readonly node: string
  readonly role: Role
  readonly found:
    | { readonly machine: Machine; readonly images: NodeImages; readonly arch: Arch }
    | { readonly error: AirliftError }
}

/**
 * Asks every selected machine once what images it has. What goes wrong on one is its own. `onNode` hears of each as soon as
 * it has answered.
 */
export async function observeImages(
  selected: SelectedMachines,
  ctx: Context,
  onNode: (node: ImageNode) => void = () => {},
): Promise<ImageNode[]> {
  const limit = pLimit(ctx.limits.machines)
  const nodes = await Promise.all(
    selected.machines.map(({ id, node, role, machine, error }) =>
      limit(async (): Promise<ImageNode> => {
        try {
          if (!machine) throw error ?? new AirliftError('E_SSH_LOST', `${node} is not connected`)
          const images = await readImages(machine, ctx.signal)
          if (!images.arch) {
            throw new AirliftError('E_UNSUPPORTED', `${node} is of an architecture that k3s is not built for`)
          }
          const found: ImageNode = { id, node, role, found: { machine, images, arch: images.arch } }
          onNode(found)
          return found
        } catch (thrown) {
          return { id, node, role, found: { error: toAirliftError(thrown) } }
        }
      }),
    ),
  )
  ctx.signal.throwIfAborted()
  return nodes
}

/** The nodes that were seen, by architecture. */
export function archsOf(nodes: readonly ImageNode[]): { readonly node: string; readonly arch: Arch }[] {
  return nodes.flatMap(({ node, found }) => ('arch' in found ? [{ node, arch: found.arch }] : []))
}

/** What a machine's containerd has now. @throws AirliftError E_COMMAND and what `Machine.run` throws */
export async function readImages(machine: Machine, signal: AbortSignal): Promise<NodeImages> {
  const { stdout, stderr } = await machine.run(stateScript(), { signal, idempotent: true })
  return parseNodeImages(stdout, stderr, machine.name)
}
