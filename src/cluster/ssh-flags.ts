import { parseHostWord } from './host-target.js'
import type { SpecProblem } from './problems.js'
import type { SshOptions } from './spec.js'

/** The SSH flags as commander gives them. */
export interface SshFlags {
  readonly user?: string
  readonly sshPort?: string | number
  readonly identity?: readonly string[]
  readonly jump?: string
  readonly sudo?: boolean | string
  readonly hostKeys?: string
  readonly knownHosts?: string
  readonly transport?: string
  readonly sshConfig?: string
  readonly askPass?: boolean
  readonly askSudoPass?: boolean
}

/** Checks the SSH flags. */
export function readSshFlags(flags: SshFlags, problems: SpecProblem[]): SshOptions {
  const refuse = (path: string, message: string, hint: string): void => {
    problems.push({ code: 'E_USAGE', path, message, hint })
  }
  const port = flags.sshPort === undefined ? undefined : Number(flags.sshPort)
  if (port !== undefined && !(Number.isInteger(port) && port >= 1 && port <= 65535)) {
    refuse('--ssh-port', `"${flags.sshPort}" is not a port`, 'give a number from 1 to 65535')
  }
  if (flags.user !== undefined) {
    const word = parseHostWord(`${flags.user}@host`)
    if (!word.ok || flags.user.includes('@host'))
      refuse('--user', `"${flags.user}" is not a user name`, 'give the name only')
  }
  if (flags.jump !== undefined) checkJump(flags.jump, problems)
  const choose = <T extends string>(
    path: string,
    value: string | undefined,
    values: readonly T[],
    fallback: T,
  ): T => {
    if (value === undefined) return fallback
    const found = values.find((known) => known === value)
    if (found === undefined) refuse(path, `"${value}" is not a choice`, `choose ${values.join(', ')}`)
    return found ?? fallback
  }
  const sudo =
    typeof flags.sudo === 'string'
      ? flags.sudo
      : flags.sudo === undefined
        ? 'auto'
        : flags.sudo
          ? 'always'
          : 'never'
  return {
    ...(flags.user === undefined ? {} : { user: flags.user }),
    ...(port === undefined ? {} : { port }),
    identities: flags.identity ?? [],
    ...(flags.jump === undefined ? {} : { jump: flags.jump }),
    ...(flags.hostKeys === undefined
      ? {}
      : { hostKeys: choose('--host-keys', flags.hostKeys, ['strict', 'accept-new', 'off'], 'accept-new') }),
    ...(flags.knownHosts === undefined ? {} : { knownHosts: flags.knownHosts }),
    askPass: flags.askPass ?? false,
    askSudoPass: flags.askSudoPass ?? false,
    sudo: choose('--sudo', sudo, ['auto', 'always', 'never'], 'auto'),
    transport: choose('--transport', flags.transport, ['auto', 'ssh', 'openssh'], 'auto'),
    ...(flags.sshConfig === undefined ? {} : { configFile: flags.sshConfig }),
  }
}

/** Every hop is one host; `none` switches ProxyJump off, as in ssh_config. */
function checkJump(jump: string, problems: SpecProblem[]): void {
  if (jump === 'none') return
  for (const hop of jump.split(',')) {
    const word = parseHostWord(hop.trim())
    const target = word.ok && word.size === 1 ? word.expand()[0] : undefined
    const wrong = word.ok ? (target && 'message' in target ? target : undefined) : word
    if (wrong || !target || ('kind' in target && target.kind !== 'ssh')) {
      const message = wrong?.message ?? `"${hop}" is not one host`
      problems.push({
        code: 'E_HOST_INVALID',
        path: '--jump',
        message,
        hint: 'write [user@]host[:port], several hops separated by commas',
      })
    }
  }
}
