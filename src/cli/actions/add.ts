import { buildSpec, type SpecFlags } from '../../cluster/build-spec.js'
import { AirliftError } from '../../core/errors.js'
import { add } from '../../operations/add.js'
import { nextPlaces } from '../../operations/next-places.js'
import { problemLines } from '../../runtime/preflight/problem-lines.js'
import { refuseContainerFlags, refuseHostFlags } from '../container-flags.js'
import { finishOperation } from '../finish.js'
import type { ActionIo } from '../io.js'
import { openNamedRootfs } from '../open-named-rootfs.js'
import { asksForContainers, operationDeps, specIo, throughRef } from '../operation-io.js'
import { renderPlan } from '../render/plan.js'

/** `airlift add` and, with `planOnly`, `airlift plan add`. */
export async function addCommand(
  io: ActionIo,
  flags: Readonly<Record<string, unknown>>,
  planOnly: boolean,
): Promise<number> {
  if (flags.masters === undefined && flags.nodes === undefined) {
    throw new AirliftError('E_USAGE', 'no machine is named', {
      hint: 'give --nodes root@10.0.0.4, or --masters, or both',
    })
  }
  const deps = operationDeps(io)
  const ref = await throughRef(flags)
  const built = await buildSpec(flags as SpecFlags, specIo(io), {
    mastersRequired: false,
    ...(asksForContainers(flags) ? { places: await nextPlaces(ref, io.ctx, deps), joining: true } : {}),
  })
  for (const warning of built.warnings) io.note(`${io.style.err.yellow('warning')}: ${warning}`)
  if (built.counts) refuseHostFlags(flags)
  else refuseContainerFlags(flags)
  const named = await openNamedRootfs(flags)
  try {
    const outcome = await add(
      {
        cluster: ref,
        joining: built.spec,
        ...named,
        dryRun: planOnly,
      },
      io.ctx,
      deps,
    )
    const warnings = problemLines(outcome.problems, built.spec.ignore)
    if (warnings.length > 0) io.note(warnings.join('\n'))
    if (planOnly || !outcome.report) {
      if (io.json) io.printJson(outcome.plan)
      else io.print(renderPlan(outcome.plan, io.style.out))
      return 0
    }
    return finishOperation(io, outcome.report, outcome.error, {
      next: `airlift status --name ${built.spec.name}`,
    })
  } finally {
    await named.rootfs?.close()
  }
}
