import type { Command } from 'commander'
import { addProgressFlags } from './shared.js'

/** What a command writes to where `--output` says. */
export interface ResultFile {
  /** How help writes the flag: `--output <path>`. */
  readonly flag: string
  readonly description: string
  /** The command cannot choose a place itself. */
  readonly mandatory?: boolean
}

/**
 * Adds the flags of output for commands whose result is a file: --output names that file, given as `flags.file`, so that the
 * format of stdout has only its short flag.
 */
export function addResultFlags(command: Command, { flag, description, mandatory }: ResultFile): Command {
  const file = command.createOption(flag, description)
  if (mandatory) file.makeOptionMandatory()
  file.attributeName = () => 'file'
  const format = command.createOption('-o <format>', 'what stdout carries: text or json')
  format.choices(['text', 'json']).default('text')
  format.attributeName = () => 'output'
  return addProgressFlags(command.addOption(file).addOption(format))
}
