import type { Action, Plan, Step } from '../../plan/plan.js'
import { engineLine } from './engine-line.js'
import { machineLabel } from './machine-label.js'
import { nodeOfStep } from './progress-state.js'
import { count, formatBytes } from './quantity.js'
import type { Style } from './style.js'

/** More links than this in a row are counted. */
const MAX_LINKS = 3

const SIGNS = { create: '+', change: '~', remove: '-' } as const

/** A plan for people: the steps of each machine in order, what each does, and what it waits for elsewhere. */
export function renderPlan(plan: Plan, style: Style): string {
  const head = `plan: ${plan.operation} of cluster ${style.bold(plan.name)} (${plan.runtime})`
  if (plan.steps.length === 0) return `${head}\nnothing to do`
  const machines = new Map<string, Step[]>()
  for (const step of plan.steps) machines.set(step.machine, [...(machines.get(step.machine) ?? []), step])
  const blocks = [...machines].map(([machine, steps]) => {
    const name = nameOf(steps) ?? machineLabel(machine)
    const own = new Set(steps.map((step) => step.id))
    return [`${style.bold(name)}  ${machine}`, ...steps.flatMap((step) => stepLines(step, own, style))].join(
      '\n',
    )
  })
  const { create, change, remove } = plan.summary
  const total = `${count(plan.steps.length, 'step')} on ${count(machines.size, 'machine')}: ${create} to create, ${change} to change, ${remove} to remove`
  return [head, ...blocks, total].join('\n\n')
}

/** The node's name, which its steps begin with. */
function nameOf(steps: readonly Step[]): string | undefined {
  // A step that is about another machine begins with that one's name.
  return steps
    .filter((step) => step.subject === undefined)
    .map((step) => nodeOfStep(step.id))
    .find((name) => name !== undefined)
}

function stepLines(step: Step, own: ReadonlySet<string>, style: Style): string[] {
  const sign = step.effect ? SIGNS[step.effect] : '='
  const elsewhere = step.needs.filter((id) => !own.has(id))
  const after = elsewhere.length > 0 ? style.dim(` (after ${elsewhere.join(', ')})`) : ''
  return [
    `  ${sign} ${step.title}${after}`,
    ...actionLines(step.actions).map((line) => style.dim(`      ${line}`)),
  ]
}

/** One line for each action; many links in a row are one. */
function actionLines(actions: readonly Action[]): string[] {
  const lines: string[] = []
  for (let index = 0; index < actions.length; index++) {
    const action = actions[index]
    if (!action) continue
    let end = index
    while (actions[end]?.kind === 'link') end++
    if (end - index > MAX_LINKS) {
      const paths = actions.slice(index, end).flatMap((link) => (link.kind === 'link' ? [link.path] : []))
      const dirs = [...new Set(paths.map((path) => path.slice(0, path.lastIndexOf('/'))))]
      lines.push(`link ${count(paths.length, 'file')} into ${dirs.join(', ')}`)
      index = end - 1
    } else lines.push(actionLine(action))
  }
  return lines
}

/** What an action does, without the text of scripts and files. */
export function actionLine(action: Action): string {
  switch (action.kind) {
    case 'stage': {
      const bytes = action.blobs.reduce((sum, blob) => sum + blob.sizeBytes, 0)
      return `stage ${count(action.blobs.length, 'blob')}, ${formatBytes(bytes)}`
    }
    case 'link':
      return `link ${action.path} to ${action.sha256.slice(0, 12)}`
    case 'write':
      return `write ${action.path} (${action.mode})`
    case 'remove':
      return `remove ${action.paths.join(' ')}`
    case 'script': {
      const lines = action.script.trim().split('\n')
      const [only = ''] = lines
      return lines.length === 1 && only.length <= 90
        ? `run: ${only}`
        : `run a script of ${count(lines.length, 'line')}`
    }
    case 'service':
      return `${action.op} the service ${action.unit}`
    case 'wait':
      return `wait for ${action.what}, at most ${Math.round(action.timeoutMs / 1000)}s`
    case 'capture':
      return `read ${action.secret}`
    default:
      return engineLine(action)
  }
}
