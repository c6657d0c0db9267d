import type { Context } from '../core/context.js'
import { isAirliftError } from '../core/errors.js'
import { removedProblems } from '../runtime/clean/check-removed.js'
import { checkContainers } from '../runtime/preflight/containers/check-containers.js'
import { type Problem, problem } from '../runtime/preflight/problem.js'
import { refusals } from '../runtime/preflight/refuse.js'
import type { EngineWorld } from '../runtime/runtime.js'
import type { DoctorInput, DoctorMachine, DoctorReport } from './doctor-report.js'
import { observeCluster } from './observe-cluster.js'
import type { OperationDeps } from './session.js'
import { findTakenName } from './taken-name.js'
import { THIS_COMPUTER } from './this-computer.js'

/**
 * What would keep containers from becoming a cluster here: the same checks as a run makes, and nothing is changed. An engine
 * that does not answer is a problem, not an exception.
 * @throws AirliftError E_INTERRUPTED
 */
export async function doctorContainers(
  { spec, rootfs, clean }: DoctorInput,
  ctx: Context,
  deps: OperationDeps,
): Promise<DoctorReport> {
  try {
    await using cluster = await observeCluster(spec, { inside: false, align: true }, ctx, deps)
    const { engine } = cluster.world
    const problems = !engine
      ? []
      : clean
        ? removedProblems(cluster.spec, cluster.world)
        : [
            ...(await findTakenName(cluster.spec, [], ctx, deps)),
            ...checkContainers(cluster.spec, engine, rootfs),
          ]
    return reportOf(problems, spec.ignore, engine ? [describe(engine)] : [])
  } catch (error) {
    if (!isAirliftError(error) || !error.code.startsWith('E_ENGINE') || ctx.signal.aborted) throw error
    const found = problem('docker-engine', THIS_COMPUTER, error.message, {
      severity: 'error',
      ...(error.hint ? { fix: error.hint.replaceAll('\n', '; ') } : {}),
    })
    return reportOf([found], spec.ignore, [])
  }
}

function reportOf(
  problems: readonly Problem[],
  ignore: readonly string[],
  machines: readonly DoctorMachine[],
): DoctorReport {
  const ok = refusals(problems, ignore).length === 0
  return { ok, machines: machines.map((machine) => ({ ...machine, ok })), problems }
}

/** The engine stands for all of its containers: they are on its computer. */
function describe({ endpoint, info }: EngineWorld): DoctorMachine {
  return {
    machine: endpoint.url,
    name: endpoint.url,
    role: 'master',
    ok: true,
    hostname: info.serverName,
    os: `${info.kind} ${info.version}`,
    arch: info.arch,
    cpus: info.cpus,
    memoryBytes: info.memoryBytes,
  }
}
