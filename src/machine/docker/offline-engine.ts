import { AirliftError } from '../../core/errors.js'
import type { Engine } from './engine.js'

/** An engine that neither pulls nor asks registries, whoever wants it to. */
export function offlineEngine(engine: Engine): Engine {
  const refuse = async (ref: string): Promise<never> => {
    throw imageNotHere(ref)
  }
  return { ...engine, checkPull: refuse, pullImage: refuse }
}

/** The error for an image that would have to be pulled. */
export function imageNotHere(ref: string): AirliftError {
  return new AirliftError(
    'E_IMAGE_MISSING',
    `the engine has no image ${ref}, and --offline lets nothing be pulled`,
    {
      hint: `bring it: docker save ${ref} where there is internet, docker load here; or give a bundle, --rootfs k3s.airlift, or an image that the engine has, --image NAME`,
      data: { missing: [ref] },
    },
  )
}
