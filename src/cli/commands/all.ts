import type { Command } from 'commander'
import type { CliDeps } from '../shared.js'
import { registerAdd } from './add.js'
import { registerCompletion } from './completion.js'
import { registerCopy } from './copy.js'
import { registerDelete } from './delete.js'
import { registerDoctor } from './doctor.js'
import { registerExec } from './exec.js'
import { registerImage } from './image.js'
import { registerKubeconfig } from './kubeconfig.js'
import { registerList } from './list.js'
import { registerLogs } from './logs.js'
import { registerPlan } from './plan.js'
import { registerPorts } from './ports.js'
import { registerPrune } from './prune.js'
import { registerReset } from './reset.js'
import { registerRootfs } from './rootfs.js'
import { registerRun } from './run.js'
import { registerStart } from './start.js'
import { registerStatus } from './status.js'
import { registerStop } from './stop.js'
import { registerVersion } from './version.js'

/** Registers every command, in the order in which help shows them. These modules load commander and nothing else. */
export function registerAll(program: Command, deps: CliDeps): void {
  program.commandsGroup('Clusters:')
  registerRun(program, deps)
  registerAdd(program, deps)
  registerDelete(program, deps)
  registerPlan(program, deps)
  registerReset(program, deps)
  registerStart(program, deps)
  registerStop(program, deps)
  registerStatus(program, deps)
  registerList(program, deps)
  registerKubeconfig(program, deps)
  registerPorts(program, deps)
  registerPrune(program, deps)
  program.commandsGroup('Machines:')
  registerDoctor(program, deps)
  registerLogs(program, deps)
  registerExec(program, deps)
  registerCopy(program, deps)
  registerImage(program, deps)
  program.commandsGroup('Bundles:')
  registerRootfs(program, deps)
  program.commandsGroup('Other:')
  registerCompletion(program, deps)
  registerVersion(program, deps)
}
