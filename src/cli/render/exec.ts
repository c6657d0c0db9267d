import type { ExecMachine } from '../../operations/exec.js'
import { count } from './quantity.js'
import type { Style } from './style.js'

/**
 * What a command printed: identical outputs once, below the names of their hosts; what it wrote to stderr, exit codes and
 * errors go to `err` in the same way. One machine alone has no heading.
 */
export function renderExec(
  machines: readonly ExecMachine[],
  style: { readonly out: Style; readonly err: Style },
): { readonly out: string; readonly err: string } {
  const groups = new Map<string, ExecMachine[]>()
  for (const machine of machines) {
    const key = JSON.stringify([machine.exitCode, machine.stdout, machine.stderr, machine.error])
    groups.set(key, [...(groups.get(key) ?? []), machine])
  }
  const out: string[] = []
  const err: string[] = []
  for (const group of groups.values()) {
    const [first] = group
    if (!first) continue
    const head = machines.length === 1 ? undefined : heading(group)
    const stdout = chomp(first.stdout)
    const trouble = troubleOf(first, style.err)
    // A group that printed nothing and went well still shows that it ran.
    if (stdout || (head && !trouble))
      out.push(...(head ? [style.out.bold(head)] : []), ...(stdout ? [stdout] : []))
    if (trouble) err.push(...(head ? [style.err.bold(head)] : []), trouble)
  }
  return { out: out.join('\n'), err: err.join('\n') }
}

function heading(group: readonly ExecMachine[]): string {
  const names = group.map((machine) => machine.node).join(', ')
  return `== ${names}${group.length > 1 ? ` (${count(group.length, 'machine')})` : ''}`
}

function troubleOf(machine: ExecMachine, style: Style): string {
  const lines = [chomp(machine.stderr)].filter(Boolean)
  if (machine.exitCode !== null && machine.exitCode !== 0)
    lines.push(style.red(`exit code ${machine.exitCode}`))
  if (machine.error) {
    lines.push(`${style.red('error')}: ${machine.error.message} [${machine.error.code}]`)
    if (machine.error.hint) lines.push(`hint: ${machine.error.hint}`)
  }
  return lines.join('\n')
}

function chomp(text: string): string {
  return text.replace(/\n$/, '')
}
