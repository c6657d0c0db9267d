import type { RuntimeName } from '../cluster/spec.js'
import { AirliftError } from '../core/errors.js'
import type { Runtime } from './runtime.js'

/** Each runtime is loaded when it is asked for. A new runtime is one folder and one line here. */
const runtimes: Partial<Record<RuntimeName, () => Promise<Runtime>>> = {
  k3s: async () => (await import('./k3s/runtime.js')).createK3sRuntime(),
  k3d: async () => (await import('./k3d/runtime.js')).createK3dRuntime(),
}

const LATER: Partial<Record<RuntimeName, string>> = {
  k0s: 'k0s is not built yet: leave --runtime out',
}

/** Picks the implementation. @throws AirliftError E_UNSUPPORTED for a runtime that this version does not have */
export async function newRuntime(name: RuntimeName): Promise<Runtime> {
  const load = runtimes[name]
  if (load) return load()
  throw new AirliftError('E_UNSUPPORTED', `this version of airlift has no runtime "${name}"`, {
    hint: LATER[name] ?? `use one of ${Object.keys(runtimes).join(', ')}`,
  })
}
