import { AirliftError } from '../../core/errors.js'
import { quote } from '../../machine/quote.js'
import type { Step } from '../../plan/plan.js'
import type { World } from '../runtime.js'
import { DRAINED_LABEL, K3S } from './paths.js'

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
  const names = new Set((known.installed.nodes ?? []).map((node) => node.name))
  return workers
    .filter(({ node }) => names.has(node))
    .map(({ node, machine }) => ({
      id: `${node}/drain`,
      machine: known.id,
      subject: machine,
      title: `drain ${node}`,
      needs: [],
      effect: 'change' as const,
      actions: [
        { kind: 'script' as const, script: drainScript(node, timeoutMs), timeoutMs: timeoutMs + 30_000 },
      ],
    }))
}

function drainScript(node: string, timeoutMs: number): string {
  const seconds = Math.max(1, Math.ceil(timeoutMs / 1000))
  const kubectl = `timeout 30 ${K3S.binary} kubectl`
  const name = quote(node)
  return [
    `if [ "$(${kubectl} get node ${name} -o jsonpath={.spec.unschedulable})" != true ]; then`,
    // Marked first: what is cut off in between is undone by the next start all the same.
    `  { ${kubectl} label node ${name} ${DRAINED_LABEL}=stop --overwrite && ${kubectl} cordon ${name}; } >&2 || exit 1`,
    'fi',
    `out=$(timeout ${seconds + 20} ${K3S.binary} kubectl drain ${name} --ignore-daemonsets --delete-emptydir-data --timeout=${seconds}s 2>&1) && exit 0`,
    `printf '%s\\n' "$out" | grep -v '^evicting' | tail -n 5 | sed 's/^/@@log /'`,
    `fail E_DRAIN ${quote(`the pods of ${node} did not leave it; nothing was stopped`)} 'give its pods another place, or stop without --drain; airlift start lets the workers be used again'`,
  ].join('\n')
}
