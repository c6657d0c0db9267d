import { AirliftError } from '../../core/errors.js'
import { quote } from '../../machine/quote.js'
import type { Step } from '../../plan/plan.js'
import type { World } from '../runtime.js'
import { type DrainAdvice, type DrainOptions, drainLimitMs, drainScript } from './drain-script.js'
import { kubectl } from './kubectl.js'
import { DRAINED_LABEL } from './paths.js'

/**
 * The steps that empty workers before a stop, on a master that answers, all at the same time. A node that the user had
 * cordoned is drained too, and is not marked: it stays cordoned at the next start.
 * @throws AirliftError E_REFUSED where no master answers
 */
export function drainSteps(
  world: World,
  workers: readonly { readonly node: string; readonly machine: string }[],
  timeoutMs: number,
): Step[] {
  const known = world.machines.find((machine) => machine.installed.apiReady)
  if (workers.length === 0) return []
  if (!known) {
    throw new AirliftError('E_REFUSED', 'no master answers, and pods can be moved only by one', {
      hint: 'stop without --drain',
    })
  }
  const statuses = new Map((known.installed.nodes ?? []).map((status) => [status.name, status]))
  return workers.flatMap(({ node, machine }): Step[] => {
    const status = statuses.get(node)
    if (!status) return []
    const drain: DrainOptions = { timeoutMs, otherwise: ADVICE, alive: status.ready }
    return [
      {
        id: `${node}/drain`,
        machine: known.id,
        subject: machine,
        title: `drain ${node}`,
        needs: [],
        effect: 'change',
        actions: [
          { kind: 'script', script: cordonForStop(node), timeoutMs: 90_000 },
          { kind: 'script', script: drainScript(node, drain), timeoutMs: drainLimitMs(drain) },
        ],
      },
    ]
  })
}

/** Cordons a node for the time of the stop. Marked first: what is cut off in between is undone by the next start all the same. */
function cordonForStop(node: string): string {
  const name = quote(node)
  return [
    `if [ "$(${kubectl(`get node ${name} -o jsonpath={.spec.unschedulable}`, 30)})" != true ]; then`,
    `  { ${kubectl(`label node ${name} ${DRAINED_LABEL}=stop --overwrite`, 30)} && ${kubectl(`cordon ${name}`, 30)}; } >&2 || exit 1`,
    'fi',
  ].join('\n')
}

const advice = (what: string): string =>
  `nothing was stopped; ${what}, or stop without --drain; airlift start lets the workers be used again`

/** What may be done about a worker that does not get empty. */
const ADVICE: DrainAdvice = {
  budget: advice('give its pods another place or change the budget and run the same command again'),
  bare: advice('move or delete them and run the same command again'),
  late: advice('run the same command again, wait longer with --timeout'),
}
