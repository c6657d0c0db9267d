import type { Command } from 'commander'
import type { CliDeps } from '../shared.js'

/** Registers every command, in the order in which help shows them. These modules load commander and nothing else. */
export function registerAll(_program: Command, _deps: CliDeps): void {}
