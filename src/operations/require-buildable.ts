import type { Plan } from '../plan/plan.js'
import type { Rootfs } from '../rootfs/manifest.js'

/**
 * Refuses a plan that makes a node image of a binary of which none can be made, before anything of it is done.
 * @throws AirliftError E_IMAGE_INVALID, E_BUNDLE_INVALID
 */
export async function requireBuildable(plan: Plan, rootfs: Rootfs | undefined): Promise<void> {
  const actions = plan.steps.flatMap((step) => step.actions)
  for (const action of actions) {
    if (action.kind !== 'image' || action.op !== 'build' || !rootfs) continue
    const { binaryOf, checkProgram } = await import('../rootfs/node-image.js')
    const { sha256 } = binaryOf(rootfs, action.arch)
    await checkProgram({ arch: action.arch, binary: () => rootfs.openBlob(sha256) })
  }
}
