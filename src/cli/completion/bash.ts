import { type CommandModel, type FlagModel, flatten, type ValueKind } from './model.js'

/**
 * A script for bash (3.2 and later, with or without the bash-completion package). It walks the words up to the cursor to
 * find the command, skips what belongs to flags, and completes from tables.
 */
export function bashScript(model: CommandModel): string {
  const all = flatten(model)
  return `# bash completion for airlift; made by: airlift completion bash
_airlift_commands() {
  case "$1" in
${all.map((command) => `    '${command.path}') echo '${command.commands.map(nameOf).join(' ')}' ;;`).join('\n')}
  esac
}
_airlift_flags() {
  case "$1" in
${all.map((command) => `    '${command.path}') echo '${command.flags.flatMap((flag) => flag.names).join(' ')}' ;;`).join('\n')}
  esac
}
_airlift_arguments() {
  case "$1" in
${all
  .filter((command) => command.argumentWords.length > 0)
  .map((command) => `    '${command.path}') echo '${command.argumentWords.join(' ')}' ;;`)
  .join('\n')}
  esac
}
# What follows a flag: none, file, other, or its words.
_airlift_value() {
  case "$1 $2" in
${valueCases(all)}
    *) echo none ;;
  esac
}
_airlift() {
  local cur="\${COMP_WORDS[COMP_CWORD]}" path='' flag='' word commands after='' i
  COMPREPLY=()
  for ((i = 1; i < COMP_CWORD; i++)); do
    word="\${COMP_WORDS[i]}"
    # bash makes three words of --flag=value.
    if [ "$word" = = ]; then continue; fi
    if [ -n "$flag" ]; then flag=''; continue; fi
    case "$word" in
      --) after=1; break ;;
      -*) if [ "$(_airlift_value "$path" "$word")" != none ]; then flag="$word"; fi ;;
      *)
        commands=" $(_airlift_commands "$path") "
        case "$commands" in *" $word "*) path="\${path:+$path }$word" ;; esac
        ;;
    esac
  done
  if [ "$cur" = = ]; then cur=''; fi
  if [ -n "$after" ]; then
    COMPREPLY=($(compgen -c -f -- "$cur"))
  elif [ -n "$flag" ]; then
    word="$(_airlift_value "$path" "$flag")"
    case "$word" in
      file) compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -f -- "$cur")) ;;
      other) ;;
      *) COMPREPLY=($(compgen -W "$word" -- "$cur")) ;;
    esac
  elif [ "\${cur:0:1}" = - ]; then
    COMPREPLY=($(compgen -W "$(_airlift_flags "$path")" -- "$cur"))
  else
    COMPREPLY=($(compgen -W "$(_airlift_commands "$path") $(_airlift_arguments "$path")" -- "$cur"))
    if [ \${#COMPREPLY[@]} -eq 0 ]; then compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -f -- "$cur")); fi
  fi
}
complete -F _airlift airlift
`
}

function nameOf(command: CommandModel): string {
  return command.path.split(' ').at(-1) ?? ''
}

/** One line for each flag with a value, for every command that has it. */
function valueCases(all: readonly CommandModel[]): string {
  return all
    .flatMap((command) =>
      command.flags
        .filter((flag) => flag.value !== 'none')
        .map((flag) => {
          const patterns = flag.names.map((name) => `'${command.path} ${name}'`).join(' | ')
          return `    ${patterns}) echo '${valueText(flag)}' ;;`
        }),
    )
    .join('\n')
}

function valueText(flag: FlagModel): string {
  const fixed: Partial<Record<ValueKind, string>> = { file: 'file', other: 'other' }
  return fixed[flag.value] ?? flag.words.join(' ')
}
