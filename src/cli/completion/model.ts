import type { Command, Help, Option } from 'commander'

/** What follows a flag: nothing, one of some words, a file, or something that only the user knows. */
export type ValueKind = 'none' | 'words' | 'file' | 'other'

/** A flag as completion sees it. */
export interface FlagModel {
  /** `--output` and, where there is one, `-o`. */
  readonly names: readonly string[]
  readonly description: string
  readonly value: ValueKind
  /** For `words`. */
  readonly words: readonly string[]
}

/** A command as completion sees it. */
export interface CommandModel {
  /** The words that lead to it: empty for airlift itself, `rootfs build`. */
  readonly path: string
  readonly summary: string
  readonly flags: readonly FlagModel[]
  readonly commands: readonly CommandModel[]
  /** Words that its first argument can be. */
  readonly argumentWords: readonly string[]
}

/** Flags whose values are a few words, which commander does not know, since airlift checks them with messages of its own. */
const FLAG_WORDS: Readonly<Record<string, readonly string[]>> = {
  '--output': ['text', 'json'],
  '--runtime': ['k3s', 'k3d', 'k0s'],
  '--host-keys': ['strict', 'accept-new', 'off'],
  '--transport': ['auto', 'ssh', 'openssh'],
  '--ip-family': ['ipv4', 'dual'],
  '--wait': ['none', 'api', 'nodes', 'system'],
  '--arch': ['amd64', 'arm64'],
}

/** Arguments whose values are a few words. */
const ARGUMENT_WORDS: Readonly<Record<string, readonly string[]>> = { completion: ['bash', 'zsh', 'fish'] }

/** Reads commands and flags off the program, so that completion never lags behind; what help hides is left out. */
export function completionModel(program: Command): CommandModel {
  return describe(program, [], program.createHelp())
}

function describe(command: Command, path: readonly string[], help: Help): CommandModel {
  return {
    path: path.join(' '),
    summary: command.summary() || command.description(),
    flags: help.visibleOptions(command).map(describeFlag),
    commands: help.visibleCommands(command).map((child) => describe(child, [...path, child.name()], help)),
    argumentWords: command.registeredArguments[0]?.argChoices ?? ARGUMENT_WORDS[path.join(' ')] ?? [],
  }
}

function describeFlag(option: Option): FlagModel {
  const words = option.argChoices ?? FLAG_WORDS[option.long ?? ''] ?? []
  const takesValue = option.required || option.optional
  const file =
    /<(file|path|dir|directory)>/.test(option.flags) || /^--(binary|images)$/.test(option.long ?? '')
  return {
    names: [option.long, option.short].filter((name) => name !== undefined),
    description: option.description.split('\n')[0] ?? '',
    // A flag whose value may be left out does not swallow the next word.
    value: !takesValue || option.optional ? 'none' : words.length > 0 ? 'words' : file ? 'file' : 'other',
    words,
  }
}

/** Every command of a model, the program itself first. */
export function flatten(model: CommandModel): CommandModel[] {
  return [model, ...model.commands.flatMap(flatten)]
}
