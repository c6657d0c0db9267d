import { type CommandModel, type FlagModel, flatten } from './model.js'

/** A script for fish, to be put into ~/.config/fish/completions/airlift.fish. */
export function fishScript(model: CommandModel): string {
  const all = flatten(model)
  return `# fish completion for airlift; made by: airlift completion fish
function __airlift_path
    set -l path ''
    set -l flag ''
    for word in (commandline -opc)[2..-1]
        if test -n "$flag"
            set flag ''
            continue
        end
        switch "$word"
            case '--'
                echo '--'
                return
            case '-*=*'
            case '-*'
                switch "$path $word"
                    case ${valuePatterns(all).join(' ')}
                        set flag "$word"
                end
            case '*'
                switch (string trim "$path $word")
                    case ${all
                      .filter((command) => command.path !== '')
                      .map((command) => quote(command.path))
                      .join(' ')}
                        set path (string trim "$path $word")
                end
        end
    end
    echo "$path"
end
function __airlift_at
    test (__airlift_path) = "$argv[1]"
end
complete -c airlift -f
complete -c airlift -n "__airlift_at '--'" -F
${all.flatMap(lines).join('\n')}
`
}

function valuePatterns(all: readonly CommandModel[]): string[] {
  return all.flatMap((command) =>
    command.flags
      .filter((flag) => flag.value !== 'none')
      .flatMap((flag) => flag.names.map((name) => quote(`${command.path} ${name}`))),
  )
}

function lines(command: CommandModel): string[] {
  const at = `complete -c airlift -n "__airlift_at '${command.path}'"`
  const commands = command.commands.map(
    (child) => `${at} -a ${quote(child.path.split(' ').at(-1) ?? '')} -d ${quote(child.summary)}`,
  )
  const words = command.argumentWords.length > 0 ? [`${at} -a ${quote(command.argumentWords.join(' '))}`] : []
  const files = command.commands.length === 0 && command.argumentWords.length === 0 ? [`${at} -F`] : []
  return [...commands, ...words, ...files, ...command.flags.map((flag) => `${at} ${flagWords(flag)}`)]
}

function flagWords(flag: FlagModel): string {
  const names = flag.names.map((name) =>
    name.startsWith('--') ? `-l ${name.slice(2)}` : `-s ${name.slice(1)}`,
  )
  const value = { none: '', words: ` -x -a ${quote(flag.words.join(' '))}`, file: ' -r -F', other: ' -x' }[
    flag.value
  ]
  return `${names.join(' ')}${value} -d ${quote(flag.description)}`
}

/** In fish's single quotes only the quote and the backslash are escaped. */
function quote(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`
}
