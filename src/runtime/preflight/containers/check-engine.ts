import { archOfUname } from '../../../rootfs/arch-of.js'
import { type Problem, problem } from '../problem.js'
import type { EngineCheck } from './engine-check.js'

/** The engine itself: what it may do, and whether the rootfs holds something for its computer. */
export function checkEngine(input: EngineCheck): Problem[] {
  return [
    ...checkRights(input),
    ...checkModules(input),
    ...checkArch(input),
    ...checkGpus(input),
    ...checkMasters(input),
  ]
}

function checkRights({ engine, name }: EngineCheck): Problem[] {
  const { info } = engine
  const found: Problem[] = []
  if (info.rootless)
    found.push(
      problem('engine-rootless', name, `${info.kind} ${info.version} runs without root and cannot run k3s`),
    )
  if (engine.privilegeRefused !== undefined)
    found.push(problem('engine-privilege', name, engine.privilegeRefused))
  if (info.os !== 'linux')
    found.push(problem('engine-os', name, `the engine runs ${info.os} containers, and k3s needs linux`))
  return found
}

/** Without overlays no image is unpacked; without the other, Services are not reached from pods of their own node. */
function checkModules({ engine, name }: EngineCheck): Problem[] {
  const { kernel = '', missing = [] } = engine.computer?.modules ?? {}
  if (missing.length === 0) return []
  const message = `kernel ${kernel} of the engine's computer has no module ${missing.join(', ')}`
  const severity = missing.includes('overlay') ? 'error' : 'warning'
  return [problem('module-missing', name, message, { severity })]
}

function checkArch({ engine, rootfs, name, spec }: EngineCheck): Problem[] {
  if (!rootfs || spec.containers?.image !== undefined) return []
  const arch = archOfUname(engine.info.arch)
  if (arch !== undefined && rootfs.arch.includes(arch)) return []
  return [
    problem(
      'arch-mismatch',
      name,
      `the rootfs holds ${rootfs.arch.join(', ')}, and the engine's computer is ${engine.info.arch}`,
    ),
  ]
}

/** A hook of NVIDIA's works without a runtime that the engine tells of, so it is no more than a warning. */
function checkGpus({ engine, name, spec }: EngineCheck): Problem[] {
  if (spec.containers?.gpus === undefined || engine.info.gpuReady) return []
  return [problem('gpu-runtime', name, 'nothing is known to the engine that gives --gpus to a container')]
}

/** An even number of masters; with etcd two are more fragile than one. */
function checkMasters({ spec }: EngineCheck): Problem[] {
  const count = spec.masters.length
  if (spec.config['datastore-endpoint'] !== undefined || count === 0 || count % 2 === 1) return []
  const text = `${count} masters with etcd survive the loss of ${count / 2 - 1}, as ${count - 1} would`
  return [problem('even-masters', spec.masters[0]?.target.text ?? '', text)]
}
