import { type CommandModel, flatten } from './model.js'

/** A script for zsh, to be put into a folder of fpath as `_airlift`, or sourced after compinit. */
export function zshScript(model: CommandModel): string {
  const all = flatten(model)
  return `#compdef airlift
# zsh completion for airlift; made by: airlift completion zsh
_airlift() {
  local line_path='' flag='' word i
  local -a commands flags values
  for ((i = 2; i < CURRENT; i++)); do
    word="\${words[i]}"
    if [[ -n "$flag" ]]; then flag=''; continue; fi
    case "$word" in
      --) _normal; return ;;
      -*=*) ;;
      -*) if _airlift_value "$line_path" "$word"; then flag="$word"; fi ;;
      *)
        _airlift_words "$line_path"
        if (( \${commands[(I)\${word}:*]} )); then line_path="\${line_path:+$line_path }$word"; fi
        ;;
    esac
  done
  if [[ -z "$flag" && "$PREFIX" == --*=* ]]; then
    flag="\${PREFIX%%=*}"
    compset -P '*='
  fi
  if [[ -n "$flag" ]]; then
    _airlift_value "$line_path" "$flag" || return 1
    case "\${values[1]}" in
      :file) _files ;;
      :other) _message 'value' ;;
      *) compadd -a values ;;
    esac
    return
  fi
  _airlift_words "$line_path"
  if [[ "$PREFIX" == -* ]]; then
    _describe -o 'flag' flags
  elif (( \${#commands} )); then
    _describe 'command' commands
  elif (( \${#values} )); then
    compadd -a values
  else
    _files
  fi
}
# Sets commands, flags, and the values of the first argument.
_airlift_words() {
  commands=() flags=() values=()
  case "$1" in
${all.map(wordCase).join('\n')}
  esac
}
# Sets the values of a flag; fails when it has none.
_airlift_value() {
  case "$1 $2" in
${all.flatMap(valueCases).join('\n')}
    *) return 1 ;;
  esac
}
if [[ "\${funcstack[1]}" == _airlift ]]; then _airlift "$@"; else compdef _airlift airlift; fi
`
}

function wordCase(command: CommandModel): string {
  const commands = command.commands.map((child) =>
    described(child.path.split(' ').at(-1) ?? '', child.summary),
  )
  const flags = command.flags.flatMap((flag) => flag.names.map((name) => described(name, flag.description)))
  return `    '${command.path}')
      commands=(${commands.join(' ')})
      flags=(${flags.join(' ')})
      values=(${command.argumentWords.map(quote).join(' ')}) ;;`
}

function valueCases(command: CommandModel): string[] {
  return command.flags
    .filter((flag) => flag.value !== 'none')
    .map((flag) => {
      const values = flag.value === 'words' ? flag.words : [`:${flag.value}`]
      const patterns = flag.names.map((name) => `'${command.path} ${name}'`).join(' | ')
      return `    ${patterns}) values=(${values.map(quote).join(' ')}) ;;`
    })
}

/** `name:description`, in which a colon of the name would end it. */
function described(name: string, description: string): string {
  return quote(`${name.replaceAll(':', '\\:')}:${description}`)
}

function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`
}
