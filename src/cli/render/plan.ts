import type { Action, Plan, Step } from '../../plan/plan.js'
import { machineLabel } from './machine-label.js'
import { count, formatBytes } from './quantity.js'
import type { Style } from './style.js'

const SIGNS = { create: '+', change: '~', remove: '-' } as const

/** A plan for people: the steps of each machine in order, what each does, and what it waits for elsewhere. */
export function renderPlan(plan: Plan, style: Style): string {
  const head = `plan: ${plan.operation} of cluster ${style.bold(plan.name)} (${plan.runtime})`
  if (plan.steps.length === 0) return `${head}\nnothing to do`
  const machines = new Map<string, Step[]>()
  for (const step of plan.steps) machines.set(step.machine, [...(machines.get(step.machine) ?? []), step])
  const blocks = [...machines].map(([machine, steps]) => {
    const name = nameOf(steps) ?? machineLabel(machine)
    return [`${style.bold(name)}  ${machine}`, ...steps.flatMap((step) => stepLines(step, style))].join('\n')
  })
  const { create, change, remove } = plan.summary
  const total = `${count(plan.steps.length, 'step')} on ${count(machines.size, 'machine')}: ${create} to create, ${change} to change, ${remove} to remove`
  return [head, ...blocks, total].join('\n\n')
}

/** The node's name, where all steps of a machine begin with it. */
function nameOf(steps: readonly Step[]): string | undefined {
  const [name, rest] = steps[0]?.id.split('/') ?? []
  return rest === undefined ? undefined : name
}

function stepLines(step: Step, style: Style): string[] {
  const sign = step.effect ? SIGNS[step.effect] : '='
  const own = step.id.split('/')[0]
  const elsewhere = step.needs.filter((id) => id.split('/')[0] !== own)
  const after = elsewhere.length > 0 ? style.dim(` (after ${elsewhere.join(', ')})`) : ''
  return [
    `  ${sign} ${step.title}${after}`,
    ...step.actions.map((action) => style.dim(`      ${actionLine(action)}`)),
  ]
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
    case 'script':
      return `run a script of ${count(action.script.trim().split('\n').length, 'line')}`
    case 'service':
      return `${action.op} the service ${action.unit}`
    case 'wait':
      return `wait for ${action.what}, at most ${Math.round(action.timeoutMs / 1000)}s`
    case 'capture':
      return `read ${action.secret}`
  }
}
