import { type Command, Option } from 'commander'
import { AirliftError } from '../core/errors.js'
import { repeatable } from './shared.js'

interface Flag {
  readonly flags: string
  readonly text: string
  /** It may be given several times. */
  readonly many?: boolean
  /** It says what the whole cluster is like, so that nodes which join cannot have it otherwise. */
  readonly ofCluster?: boolean
}

/** Heading of what a command that adds nodes takes only as the cluster has it. */
const OF_CLUSTER = 'Containers, as the whole cluster has it (anything else is refused, so leave these out):'

/** Flags that only containers have, as they are written. */
const CONTAINER_FLAGS: readonly Flag[] = [
  {
    flags: '-p, --port <spec[@filter]>',
    text: '[host:][hostport:]port[/proto], ranges too (repeatable)',
    many: true,
  },
  { flags: '--ingress', text: 'the same as -p 80:80 -p 443:443', ofCluster: true },
  {
    flags: '--api-port <[host:]port>',
    text: 'where the API is published (default 127.0.0.1, a free port)',
    ofCluster: true,
  },
  { flags: '--volume <spec[@filter]>', text: '[source:]target[:options] to mount (repeatable)', many: true },
  {
    flags: '--env <k=v[@filter]>',
    text: 'variable; KEY alone takes the value from here (repeatable)',
    many: true,
  },
  { flags: '--k3s-arg <arg[@filter]>', text: 'argument of k3s, --k3s-arg=--debug (repeatable)', many: true },
  { flags: '--file <src:dst[@filter]>', text: 'file to copy in before the start (repeatable)', many: true },
  { flags: '--runtime-label <k=v[@filter]>', text: 'label of the container (repeatable)', many: true },
  {
    flags: '--image <image>',
    text: 'image of the node containers (default: that of the release, or made from the rootfs)',
    ofCluster: true,
  },
  { flags: '--memory <size[@filter]>', text: 'memory of each node: 2g, 512Mi (repeatable)', many: true },
  { flags: '--cpus <n[@filter]>', text: 'processors of each node: 2, 0.5 (repeatable)', many: true },
  { flags: '--gpus <spec>', text: 'GPUs of each node: all, 2, device=0', ofCluster: true },
  {
    flags: '--ulimit <name=soft:hard>',
    text: 'limit of each node: nofile=65535:65535 (repeatable)',
    many: true,
    ofCluster: true,
  },
  {
    flags: '--host-alias <ip:names>',
    text: 'line of /etc/hosts: 10.1.2.3:git.lan,dev.lan (repeatable)',
    many: true,
    ofCluster: true,
  },
  {
    flags: '--dns <ip>',
    text: 'resolver for names outside of the cluster (repeatable)',
    many: true,
    ofCluster: true,
  },
  { flags: '--ca <file>', text: 'certificates that every node trusts, PEM (repeatable)', many: true },
  {
    flags: '--network <name>',
    text: 'join this network, and leave it alone (default: one of its own)',
    ofCluster: true,
  },
  {
    flags: '--subnet <cidr[,cidr6]>',
    text: 'subnets of its own network (default: free ones)',
    ofCluster: true,
  },
  { flags: '--ip-family <family>', text: 'ipv4 (default), or dual for IPv4 and IPv6', ofCluster: true },
  { flags: '--no-lb', text: 'no load balancer in front of several masters', ofCluster: true },
  { flags: '--keep', text: 'leave what a run made that fails' },
]

/** Flags that only hosts have. Of `--transport` the default is no wish. */
const HOST_FLAGS: readonly Flag[] = [
  ...[
    '--user <name>',
    '--ssh-port <port>',
    '--identity <file>',
    '--jump <hosts>',
    '--sudo',
    '--host-keys <mode>',
  ],
  ...['--known-hosts <file>', '--transport <kind>', '--ssh-config <file>', '--ask-pass', '--ask-sudo-pass'],
].map((flags) => ({ flags, text: '' }))

/**
 * Makes a command know the flags of containers, so that on hosts each is refused by name.
 *
 * @param options.hidden - they mean nothing to the command, and are taken so that it can be given the arguments of `run`
 * @param options.joining - the command adds to a cluster: what is of the whole cluster can be said, and not changed
 */
export function addContainerFlags(
  command: Command,
  options: { readonly hidden?: boolean; readonly joining?: boolean } = {},
): Command {
  const flagsInOrder = options.joining
    ? [...CONTAINER_FLAGS].sort((a, b) => Number(a.ofCluster ?? false) - Number(b.ofCluster ?? false))
    : CONTAINER_FLAGS
  for (const { flags, text, many, ofCluster } of flagsInOrder) {
    const group = options.joining && ofCluster ? OF_CLUSTER : 'Containers:'
    const option = new Option(flags, text).helpGroup(group)
    if (options.hidden) option.hideHelp()
    if (many)
      option.argParser((value: string, before: readonly string[] | undefined) =>
        repeatable(value, before ?? []),
      )
    command.addOption(option)
  }
  return command
}

/** Names of the flags of containers, as commander gives their values. */
export function containerFlagNames(): string[] {
  return CONTAINER_FLAGS.map(({ flags }) => new Option(flags).attributeName())
}

/** Refuses flags of containers on hosts. @throws AirliftError E_USAGE naming the first one */
export function refuseContainerFlags(flags: Readonly<Record<string, unknown>>): void {
  refuseFirst(CONTAINER_FLAGS, flags, 'is for containers, and these machines are hosts')
}

/** Refuses flags of hosts on containers. @throws AirliftError E_USAGE naming the first one */
export function refuseHostFlags(flags: Readonly<Record<string, unknown>>): void {
  refuseFirst(HOST_FLAGS, flags, 'is for hosts, and these machines are containers')
}

/** The first flag of each kind that is given, as it was typed, for a cluster of which it is not known yet what it is. */
export function onlyFor(flags: Readonly<Record<string, unknown>>): { hosts?: string; containers?: string } {
  const hosts = firstGiven(HOST_FLAGS, flags)
  const containers = firstGiven(CONTAINER_FLAGS, flags)
  return { ...(hosts === undefined ? {} : { hosts }), ...(containers === undefined ? {} : { containers }) }
}

function refuseFirst(known: readonly Flag[], flags: Readonly<Record<string, unknown>>, reason: string): void {
  const shown = firstGiven(known, flags)
  if (shown === undefined) return
  throw new AirliftError('E_USAGE', `${shown} ${reason}`, { hint: 'leave it out' })
}

function firstGiven(known: readonly Flag[], flags: Readonly<Record<string, unknown>>): string | undefined {
  for (const { flags: text, many } of known) {
    const option = new Option(text)
    const value = flags[option.attributeName()]
    // `logs` has a `file` too, that of its result.
    if (!isGiven(option, value) || (many === true && !Array.isArray(value))) continue
    return `${option.long}${option.required ? ` ${Array.isArray(value) ? value[0] : value}` : ''}`
  }
  return undefined
}

function isGiven(option: Option, value: unknown): boolean {
  if (option.negate) return value === false
  if (Array.isArray(value)) return value.length > 0
  if (option.attributeName() === 'transport') return value !== undefined && value !== 'auto'
  return value !== undefined && value !== false
}
