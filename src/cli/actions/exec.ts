import { parseDuration } from '../../cluster/duration.js'
import { exec, execInteractive } from '../../operations/exec.js'
import { endOf } from '../finish-machines.js'
import { type ActionIo, UsageError } from '../io.js'
import { machineSelection } from '../machine-selection.js'
import { operationDeps } from '../operation-io.js'
import { renderExec } from '../render/exec.js'

const DEFAULT_TIMEOUT_MS = 600_000

/** `airlift exec`: exit 0 when the command did so everywhere, 3 on some machines, 1 on none (4: no time left); with -i its own code. */
export async function execCommand(
  io: ActionIo,
  flags: Readonly<Record<string, unknown>>,
  command: readonly string[],
): Promise<number> {
  const interactive = flags.interactive === true || flags.tty === true
  if (interactive && io.json) throw new UsageError('-i and -t cannot be combined with -o json')
  if (command.every((word) => word.trim() === '')) throw new UsageError('the command is empty')
  const selection = await machineSelection(flags)
  const root = flags.root !== false
  const timeoutMs = parseDuration(String(flags.timeout)) ?? DEFAULT_TIMEOUT_MS
  if (interactive) {
    const tty = flags.tty === true
    const onReady = (): void => io.endProgress()
    return execInteractive({ selection, command, root, tty, onReady }, io.ctx, operationDeps(io))
  }
  const result = await exec({ selection, command, root, timeoutMs }, io.ctx, operationDeps(io))
  const { exit, error } = endOf(result.machines)
  if (io.json) io.printJson({ ...result, ...(error ? { error } : {}) })
  else {
    const { out, err } = renderExec(result.machines, io.style)
    if (out) io.print(out)
    if (err) io.warn(err)
  }
  return exit
}
