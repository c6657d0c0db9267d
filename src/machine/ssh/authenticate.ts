import type { ParsedKey } from 'ssh2'
import ssh2 from 'ssh2'
import { AirliftError } from '../../core/errors.js'
import type { Secret } from '../../core/secret.js'
import type { AgentKey } from './agent-keys.js'
import { fingerprint, keyType } from './key-blob.js'
import type { KeyFile } from './key-store.js'
import type { ResolvedHost } from './resolved-host.js'

/** A key that is offered, and who signs with it. */
export interface Candidate {
  readonly label: string
  readonly blob: Buffer
  /** The file that signs; undefined when the agent does. */
  readonly file: KeyFile | undefined
}

/**
 * The keys to offer, in ssh's order: those of the agent that the configuration names, the other keys of the agent
 * (not with IdentitiesOnly), then the files that the agent does not hold.
 */
export function orderCandidates(
  files: readonly KeyFile[],
  agent: readonly AgentKey[],
  identitiesOnly: boolean,
): readonly Candidate[] {
  const same = (a: Buffer | undefined, b: Buffer): boolean => a?.equals(b) === true
  const named = (key: AgentKey): boolean => files.some((file) => same(file.blob, key.blob))
  const fromAgent = (key: AgentKey): Candidate => ({
    label: `${key.comment || fingerprint(key.blob)} (agent)`,
    blob: key.blob,
    file: undefined,
  })
  const inAgent = files.flatMap((file) => agent.filter((key) => same(file.blob, key.blob)))
  const others = identitiesOnly ? [] : agent.filter((key) => !named(key))
  const rest = files.flatMap((file): Candidate[] =>
    file.blob && !agent.some((key) => same(file.blob, key.blob))
      ? [{ label: file.file, blob: file.blob, file }]
      : [],
  )
  const all = [...inAgent.map(fromAgent), ...others.map(fromAgent), ...rest]
  return all.filter((each, index) => all.findIndex((other) => other.blob.equals(each.blob)) === index)
}

/** What {@link createAuthenticator} needs. */
export interface AuthenticatorParts {
  readonly host: ResolvedHost
  readonly candidates: readonly Candidate[]
  /** Key files that are not offered, with the reason; for the error message. */
  readonly skipped: readonly string[]
  /** Present when a password may be used. */
  readonly password: (() => Promise<Secret>) | undefined
}

/** Decides what is offered to the server, one after the other, and remembers it for the error message. */
export interface Authenticator {
  /** ssh2's `authHandler`. */
  readonly handler: (
    left: readonly string[] | null,
    partial: boolean | null,
    next: (auth: unknown) => void,
  ) => void
  /** An error of ours that ended the attempt, such as a wrong passphrase. */
  failure(): unknown
  /** The error for a server that accepted nothing. */
  refused(detail?: string): AirliftError
  /** True while the user is asked for something; the handshake's clock stands still then. */
  waitsForUser(): boolean
}

/** Makes the authenticator of one connection: keys first, then keyboard-interactive or password, each once. */
export function createAuthenticator(parts: AuthenticatorParts): Authenticator {
  const { host, password } = parts
  const username = host.user
  const done = new Set<string>()
  const tried: string[] = []
  let accepts: readonly string[] = []
  let failure: unknown
  let waiting = 0

  const asking = async <T>(what: Promise<T>): Promise<T> => {
    waiting++
    try {
      return await what
    } finally {
      waiting--
    }
  }
  const agent = new KeyAgent(parts.candidates, host.identityAgent, tried, asking, (error) => {
    failure ??= error
  })

  const choose = async (left: readonly string[] | null): Promise<unknown> => {
    if (left === null) return { type: 'none', username }
    if (failure !== undefined) return false
    accepts = left
    const offer = (method: string): boolean => left.includes(method) && !done.has(method)
    if (offer('publickey') && parts.candidates.length > 0) {
      done.add('publickey')
      return { type: 'agent', username, agent }
    }
    if (password && !done.has('password') && (offer('password') || offer('keyboard-interactive'))) {
      // Both ask for the same password: trying it twice would count as two failures with sshd.
      done.add('password')
      const secret = await asking(password())
      if (offer('keyboard-interactive') && !left.includes('password')) {
        tried.push('password (keyboard-interactive)')
        return { type: 'keyboard-interactive', username, prompt: answerWith(secret) }
      }
      tried.push('password')
      return { type: 'password', username, password: secret.reveal() }
    }
    return false
  }

  return {
    handler: (left, _partial, next) => {
      choose(left).then(next, (error: unknown) => {
        failure ??= error
        next(false)
      })
    },
    failure: () => failure,
    waitsForUser: () => waiting > 0,
    refused: (detail) => {
      const offered = tried.length > 0 ? `tried ${tried.join(', ')}` : 'there was no key to offer'
      const server = accepts.length > 0 ? `; the server accepts ${accepts.join(', ')}` : ''
      const skipped = parts.skipped.length > 0 ? `; not offered: ${parts.skipped.join(', ')}` : ''
      return new AirliftError(
        'E_SSH_AUTH',
        `${host.hostName} refused ${username}: ${offered}${skipped}${server}${detail ? ` (${detail})` : ''}`,
        {
          machine: host.alias,
          hint: hintFor(accepts, password !== undefined, tried.length),
          data: { tried, accepts },
        },
      )
    },
  }
}

function hintFor(accepts: readonly string[], hasPassword: boolean, tried: number): string {
  const byPassword = accepts.includes('password') || accepts.includes('keyboard-interactive')
  if (tried > 5)
    return 'the server gives up after some keys: name the right one with --identity and set IdentitiesOnly yes'
  if (byPassword && !hasPassword) {
    return 'name the right key with --identity, or use a password with --ask-pass or AIRLIFT_SSH_PASSWORD'
  }
  return 'check the user name, name the right key with --identity, and look that it is in authorized_keys on the machine'
}

type Answer = (answers: string[]) => void

/** Answers the prompts that do not echo with the password, the others with nothing. */
function answerWith(secret: Secret) {
  return (
    _name: string,
    _instructions: string,
    _lang: string,
    prompts: readonly { prompt: string; echo?: boolean }[],
    finish: Answer,
  ): void => finish(prompts.map((each) => (each.echo ? '' : secret.reveal())))
}

type SignCallback = (error?: Error | null, signature?: Buffer) => void

/** An agent, as ssh2 sees it, that signs with key files and with the real agent. Files are decrypted only when the server wants them. */
class KeyAgent extends ssh2.BaseAgent {
  readonly #candidates: readonly Candidate[]
  readonly #agent: InstanceType<typeof ssh2.OpenSSHAgent> | undefined
  readonly #tried: string[]
  readonly #asking: <T>(what: Promise<T>) => Promise<T>
  readonly #onFailure: (error: unknown) => void

  constructor(
    candidates: readonly Candidate[],
    socket: string | undefined,
    tried: string[],
    asking: <T>(what: Promise<T>) => Promise<T>,
    onFailure: (error: unknown) => void,
  ) {
    super()
    this.#candidates = candidates
    this.#agent = socket === undefined ? undefined : new ssh2.OpenSSHAgent(socket)
    this.#tried = tried
    this.#asking = asking
    this.#onFailure = onFailure
  }

  override getIdentities(callback: (error?: Error | null, keys?: ParsedKey[]) => void): void {
    const keys: ParsedKey[] = []
    for (const { blob, label } of this.#candidates) {
      const key = ssh2.utils.parseKey(blob)
      if (key instanceof Error) {
        this.#tried.push(`${label} (${keyType(blob) ?? 'unknown type'} needs --transport openssh)`)
        continue
      }
      this.#tried.push(label)
      keys.push(key)
    }
    callback(null, keys)
  }

  override sign(key: ParsedKey, data: Buffer, options: unknown, callback?: SignCallback): void {
    const done = (typeof options === 'function' ? options : callback) as SignCallback
    const hash = (options as { hash?: string } | undefined)?.hash
    const blob = key.getPublicSSH()
    const candidate = this.#candidates.find((each) => each.blob.equals(blob))
    if (!candidate?.file) {
      this.#agent?.sign(key, data, options as never, done as never)
      return
    }
    this.#asking(candidate.file.open()).then(
      (opened) => {
        const signature = opened.sign(data, hash) as Buffer | Error
        if (signature instanceof Error) done(signature)
        else done(null, signature)
      },
      (error: unknown) => {
        this.#onFailure(error)
        done(error instanceof Error ? error : new Error(String(error)))
      },
    )
  }
}
