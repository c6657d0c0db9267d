import type { Command } from 'commander'
import type { CliDeps } from '../io.js'
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

type Register = (program: Command, deps: CliDeps) => unknown

/** Every command, in the order in which help shows them. These modules load commander and nothing else. */
const COMMANDS: Readonly<Record<string, Readonly<Record<string, Register>>>> = {
  'Clusters:': {
    run: registerRun,
    add: registerAdd,
    delete: registerDelete,
    plan: registerPlan,
    reset: registerReset,
    start: registerStart,
    stop: registerStop,
    status: registerStatus,
    list: registerList,
    kubeconfig: registerKubeconfig,
    ports: registerPorts,
    prune: registerPrune,
  },
  'Machines:': {
    doctor: registerDoctor,
    logs: registerLogs,
    exec: registerExec,
    copy: registerCopy,
    image: registerImage,
  },
  'Bundles:': { rootfs: registerRootfs },
  'Other:': { completion: registerCompletion, version: registerVersion },
}

/** Registers every command. */
export function registerAll(program: Command, deps: CliDeps): void {
  for (const [group, commands] of Object.entries(COMMANDS)) {
    program.commandsGroup(group)
    for (const register of Object.values(commands)) register(program, deps)
  }
}

/**
 * Registers the command that a command line begins with, and all of them where it begins with something else, such as a
 * question for help or a slip: to define the flags of all takes longer than to load the program.
 */
export function registerNamed(program: Command, deps: CliDeps, first: string | undefined): void {
  const named = Object.values(COMMANDS).find((commands) => Object.hasOwn(commands, first ?? ''))
  const register = named?.[first ?? '']
  if (register && first !== 'completion') register(program, deps)
  else registerAll(program, deps)
}
