import { buildSpec, type SpecFlags } from '../../cluster/build-spec.js'
import type { ClusterSpec } from '../../cluster/spec.js'
import { AirliftError } from '../../core/errors.js'
import { doctor } from '../../operations/doctor.js'
import type { DoctorReport } from '../../operations/doctor-report.js'
import { resolveCluster } from '../../operations/resolve-cluster.js'
import type { OperationDeps } from '../../operations/session.js'
import { createSpecIo } from '../../registry/local-spec-io.js'
import type { RootfsManifest } from '../../rootfs/manifest.js'
import { onlyFor, refuseContainerFlags, refuseHostFlags } from '../container-flags.js'
import type { ActionIo } from '../io.js'
import { openNamedRootfs } from '../open-named-rootfs.js'
import { operationDeps, placesOf } from '../operation-io.js'
import { renderDoctor } from '../render/doctor.js'

/** Exit code where something refuses: the same as that of a run which preflight refuses. */
const REFUSED = 5

/** `airlift doctor`. */
export async function doctorCommand(io: ActionIo, flags: Readonly<Record<string, unknown>>): Promise<number> {
  const deps = operationDeps(io)
  const places = await placesOf(io, flags, deps)
  const {
    spec: asked,
    warnings,
    counts,
  } = await buildSpec(flags as SpecFlags, createSpecIo(undefined, { env: io.ctx.env }), {
    mastersRequired: false,
    ...(places ? { places } : {}),
  })
  for (const warning of warnings) io.note(`${io.style.err.yellow('warning')}: ${warning}`)
  if (counts) refuseHostFlags(flags)
  else if (asked.masters.length + asked.nodes.length > 0) refuseContainerFlags(flags)
  const spec = await withMachines(asked, flags, io, deps)
  const clean = flags.clean === true
  if (clean && spec.masters.length + spec.nodes.length === 0) {
    throw new AirliftError('E_USAGE', 'doctor --clean needs machines to look at', {
      hint: 'name them: airlift doctor --clean --masters root@10.0.0.1 --nodes root@10.0.0.2',
    })
  }
  const manifest = await manifestOf(flags)
  const report = await doctor({ spec, clean, ...(manifest ? { rootfs: manifest } : {}) }, io.ctx, deps)
  if (io.json)
    io.printJson({ ...report, ...(report.ok ? {} : { error: refusal(report, clean, spec.ignore) }) })
  else io.print(renderDoctor(report, { clean, ignore: spec.ignore, style: io.style.out }))
  return report.ok ? 0 : REFUSED
}

/** What the JSON holds besides where a run would be refused, or a machine is not bare. */
function refusal(
  { machines, problems }: DoctorReport,
  clean: boolean,
  ignored: readonly string[],
): Readonly<Record<string, unknown>> {
  const grave = problems.filter(({ severity, code }) => severity === 'error' && !ignored.includes(code))
  const [first] = grave
  const found = grave.length === 1 ? (first?.message ?? '') : `${grave.length} problems`
  return {
    code: clean ? 'E_VERIFY' : 'E_PREFLIGHT',
    message: clean ? `not clean: ${found}` : `not ready: ${found}`,
    hint: first?.fix ?? null,
    machine: machines.length === 1 ? (machines[0]?.machine ?? null) : null,
  }
}

/** A cluster that is named alone is found as by every other command. @throws AirliftError E_NO_CLUSTER */
async function withMachines(
  spec: ClusterSpec,
  flags: Readonly<Record<string, unknown>>,
  { ctx }: ActionIo,
  deps: OperationDeps,
): Promise<ClusterSpec> {
  const { name, masters, nodes, ssh, config, ignore } = spec
  if (flags.name === undefined || masters.length + nodes.length > 0) return spec
  const found = await resolveCluster({ name, masters, nodes, ssh, only: onlyFor(flags) }, ctx, deps)
  return { ...found, config: { ...found.config, ...config }, ignore }
}

async function manifestOf(flags: Readonly<Record<string, unknown>>): Promise<RootfsManifest | undefined> {
  const { rootfs } = await openNamedRootfs({ rootfs: flags.rootfs })
  await rootfs?.close()
  return rootfs?.manifest
}
