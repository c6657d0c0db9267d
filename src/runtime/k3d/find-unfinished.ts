import { LABELS } from '../../cluster/container-labels.js'
import { isAirliftError } from '../../core/errors.js'
import type { Engine, EngineContainer } from '../../machine/docker/engine.js'
import { CONTAINER } from './contract.js'

// A container is made by two requests, one for itself and one for its files. A command that was killed between them leaves one
// that is empty: started, its shell finds no script, ends, and is started again for ever.

/** With which code a shell ends that finds no script: dash and busybox, bash. */
const NO_SCRIPT = [2, 127]

/**
 * Names of containers of a cluster that lack the script that they start with. Asked only of those that may: who ran has it.
 * @throws AirliftError E_ENGINE…
 */
export async function findUnfinished(
  containers: readonly EngineContainer[],
  engine: Pick<Engine, 'hasPath'>,
): Promise<string[]> {
  const doubtful = containers.filter(mayBeUnfinished)
  const whole = await Promise.all(doubtful.map((container) => hasScript(container, engine)))
  return doubtful.filter((_, i) => !whole[i]).map(({ name }) => name)
}

function mayBeUnfinished({ state, exitCode }: EngineContainer): boolean {
  if (state === 'created' || state === 'restarting') return true
  return (state === 'exited' || state === 'dead') && NO_SCRIPT.includes(exitCode)
}

async function hasScript(
  { name, labels }: EngineContainer,
  engine: Pick<Engine, 'hasPath'>,
): Promise<boolean> {
  const script = labels[LABELS.role] === 'lb' ? CONTAINER.lbScript : CONTAINER.entryScript
  try {
    return await engine.hasPath(name, script)
  } catch (error) {
    // Gone since it was listed: whoever removes it has the last word.
    if (isAirliftError(error) && error.code === 'E_ENGINE_NOT_FOUND') return true
    throw error
  }
}
