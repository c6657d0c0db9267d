import { type Command, Option } from 'commander'
import { AirliftError } from '../core/errors.js'
import { repeatable } from './shared.js'

/** Flags that only containers have, as they are written. */
const CONTAINER_FLAGS: readonly { readonly flags: string; readonly text: string; readonly many?: boolean }[] =
  [
    { flags: '--image <image>', text: 'image of the node containers' },
    { flags: '-p, --port <spec[@filter]>', text: 'publish a port (repeatable)', many: true },
    { flags: '--volume <spec[@filter]>', text: 'mount a volume (repeatable)', many: true },
    { flags: '--env <k=v[@filter]>', text: 'set a variable (repeatable)', many: true },
    { flags: '--k3s-arg <arg[@filter]>', text: 'argument of k3s (repeatable)', many: true },
    { flags: '--api-port <[host:]port>', text: 'where the API is published' },
    { flags: '--network <name>', text: 'network to join' },
    { flags: '--subnet <cidr>', text: 'subnet of the network' },
    { flags: '--no-lb', text: 'no load balancer in front of the masters' },
    { flags: '--memory <size>', text: 'memory of each node' },
    { flags: '--cpus <n>', text: 'processors of each node' },
    { flags: '--gpus <spec>', text: 'GPUs of each node' },
    { flags: '--host-alias <ip:names>', text: 'line of /etc/hosts (repeatable)', many: true },
    { flags: '--ulimit <spec>', text: 'limit of each node (repeatable)', many: true },
    { flags: '--file <src:dst[@filter]>', text: 'file to copy in (repeatable)', many: true },
  ]

/**
 * Makes a command know the flags of containers, so that on hosts each is refused by name. Help does not list them until
 * there is a runtime that takes them.
 */
export function addContainerFlags(command: Command): Command {
  for (const { flags, text, many } of CONTAINER_FLAGS) {
    const option = new Option(flags, text).hideHelp()
    if (many)
      option.argParser((value: string, before: readonly string[] | undefined) =>
        repeatable(value, before ?? []),
      )
    command.addOption(option)
  }
  return command
}

/** Refuses flags of containers on hosts. @throws AirliftError E_USAGE naming the first one */
export function refuseContainerFlags(flags: Readonly<Record<string, unknown>>): void {
  for (const { flags: text } of CONTAINER_FLAGS) {
    const option = new Option(text)
    const value = flags[option.attributeName()]
    const given = option.negate ? value === false : value !== undefined
    if (given) {
      const shown = option.negate ? '' : ` ${Array.isArray(value) ? value[0] : value}`
      throw new AirliftError(
        'E_USAGE',
        `${option.long}${shown} is for containers, and these machines are hosts`,
        {
          hint: 'leave it out',
        },
      )
    }
  }
}
