import type { ClusterSpec } from '../../cluster/spec.js'
import { kubeconfig } from '../../operations/kubeconfig.js'
import type { OperationReport } from '../../operations/report.js'
import { run } from '../../operations/run.js'
import type { OperationDeps } from '../../operations/session.js'
import { problemLines } from '../../runtime/preflight/problem-lines.js'
import { finishOperation } from '../finish.js'
import type { ActionIo } from '../io.js'
import { openNamedRootfs } from '../open-named-rootfs.js'
import { operationDeps, specFromFlags } from '../operation-io.js'
import { renderPlan } from '../render/plan.js'

/** `airlift run` and, with `planOnly`, `airlift plan run`. */
export async function runCommand(
  io: ActionIo,
  flags: Readonly<Record<string, unknown>>,
  planOnly: boolean,
): Promise<number> {
  const deps = operationDeps(io)
  const spec = await specFromFlags(io, flags, deps)
  const named = await openNamedRootfs(flags)
  try {
    const path = typeof flags.kubeconfig === 'string' ? flags.kubeconfig : undefined
    const outcome = await run(
      {
        spec,
        ...named,
        dryRun: planOnly,
        kubeconfig:
          path === 'none' || path === '-'
            ? 'none'
            : { ...(path ? { path } : {}), switchContext: flags.switch !== false },
      },
      io.ctx,
      deps,
    )
    const warnings = problemLines(outcome.problems, spec.ignore)
    if (warnings.length > 0) io.note(warnings.join('\n'))
    if (planOnly || !outcome.report) {
      if (io.json) io.printJson(outcome.plan)
      else io.print(renderPlan(outcome.plan, io.style.out))
      return 0
    }
    if (path === '-' && !outcome.error) return printWith(io, spec, outcome.report, deps)
    const { kubeconfig } = outcome
    return finishOperation(io, outcome.report, outcome.error, {
      next: kubeconfig ? nextCommand(kubeconfig) : `airlift kubeconfig --name ${spec.name}`,
      ...(kubeconfig ? { extra: { kubeconfig } } : {}),
    })
  } finally {
    await named.rootfs?.close()
  }
}

/** `--kubeconfig -`: stdout is the kubeconfig, and what was done is told on stderr; with JSON it is a part of the document. */
async function printWith(
  io: ActionIo,
  { name, containers, masters, nodes, ssh }: ClusterSpec,
  report: OperationReport,
  deps: OperationDeps,
): Promise<number> {
  const ref = containers ? { name, masters: [], nodes: [], ssh } : { name, masters, nodes, ssh }
  const { text, context, server } = await kubeconfig(ref, io.ctx, deps)
  const extra = { kubeconfig: { path: null, context, server, current: false, kubeconfig: text } }
  const code = finishOperation({ ...io, print: io.note }, report, undefined, { extra })
  if (!io.json) io.print(text)
  return code
}

/** What to type to see the nodes, with what the shell's kubectl will not find by itself. */
function nextCommand(kubeconfig: {
  readonly path: string
  readonly context: string
  readonly current: boolean
}): string {
  const context = kubeconfig.current ? '' : ` --context ${kubeconfig.context}`
  return `kubectl get nodes${context}   (context ${kubeconfig.context} in ${kubeconfig.path})`
}
