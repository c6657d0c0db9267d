import type { Command } from 'commander'
import { bashScript } from './bash.js'
import { fishScript } from './fish.js'
import { completionModel } from './model.js'
import { zshScript } from './zsh.js'

/** The shells that can be completed in. */
export const SHELLS = ['bash', 'zsh', 'fish'] as const

/** The script that makes a shell complete the commands of a program. */
export function completionScript(shell: (typeof SHELLS)[number], program: Command): string {
  const make = { bash: bashScript, zsh: zshScript, fish: fishScript }[shell]
  return make(completionModel(program))
}
