import { readFile } from 'node:fs/promises'
import { AirliftError } from '../../core/errors.js'
import { Secret } from '../../core/secret.js'

/** The secrets that reaching a machine may need. */
export type SecretKind = 'ssh-password' | 'sudo-password' | 'key-passphrase'

/** Where those secrets come from. Each is asked for once and remembered. */
export interface SecretSource {
  /** @throws AirliftError E_SSH_AUTH when there is neither a variable nor a terminal */
  sshPassword(who: string): Promise<Secret>
  /** @throws AirliftError E_SUDO when there is neither a variable nor a terminal */
  sudoPassword(who: string): Promise<Secret>
  /** @throws AirliftError E_SSH_AUTH when there is neither a variable nor a terminal */
  keyPassphrase(file: string): Promise<Secret>
  /** Whether the environment holds it, so that it may be used without being asked for. */
  given(kind: SecretKind): boolean
}

/** Asks the user for a secret without echo; undefined when there is no terminal. */
export type Prompt = (question: string) => Promise<string | undefined>

const FACTS = {
  'ssh-password': { variable: 'AIRLIFT_SSH_PASSWORD', code: 'E_SSH_AUTH' },
  'sudo-password': { variable: 'AIRLIFT_SUDO_PASSWORD', code: 'E_SUDO' },
  'key-passphrase': { variable: 'AIRLIFT_KEY_PASSPHRASE', code: 'E_SSH_AUTH' },
} as const

/**
 * Secrets from AIRLIFT_SSH_PASSWORD, AIRLIFT_SUDO_PASSWORD and AIRLIFT_KEY_PASSPHRASE, from the files that the same names
 * with `_FILE` point to, or else from the terminal. One password for all machines, as one passphrase per key file; questions come one after the other.
 */
export function createSecretSource(
  env: Readonly<Record<string, string | undefined>>,
  prompt: Prompt,
): SecretSource {
  const known = new Map<string, Promise<Secret>>()
  let queue: Promise<unknown> = Promise.resolve()

  const fetchSecret = async (kind: SecretKind, question: string): Promise<Secret> => {
    const { variable, code } = FACTS[kind]
    const value = env[variable]
    if (value !== undefined && value !== '') return new Secret(value)
    const file = env[`${variable}_FILE`]
    if (file !== undefined && file !== '') return new Secret(await readSecretFile(file, `${variable}_FILE`))
    const asked = queue.then(() => prompt(question))
    queue = asked.catch(() => {})
    const answer = await asked
    if (answer !== undefined) return new Secret(answer)
    throw new AirliftError(code, `${question} is needed and there is no terminal to ask on`, {
      hint: `set ${variable}, or ${variable}_FILE to a file that holds it`,
    })
  }
  const once = (kind: SecretKind, key: string, question: string): Promise<Secret> => {
    const name = `${kind} ${key}`
    const had = known.get(name) ?? fetchSecret(kind, question)
    known.set(name, had)
    return had
  }
  return {
    sshPassword: (who) => once('ssh-password', '', `SSH password (${who})`),
    sudoPassword: (who) => once('sudo-password', '', `sudo password (${who})`),
    keyPassphrase: (file) => once('key-passphrase', file, `passphrase of ${file}`),
    given: (kind) => {
      const { variable } = FACTS[kind]
      return Boolean(env[variable]) || Boolean(env[`${variable}_FILE`])
    },
  }
}

async function readSecretFile(file: string, variable: string): Promise<string> {
  try {
    return (await readFile(file, 'utf8')).replace(/\r?\n$/, '')
  } catch (cause) {
    throw new AirliftError('E_LOCAL_FILE', `cannot read ${file}, which ${variable} names`, {
      hint: 'give the path of a readable file that holds the secret on one line',
      cause,
    })
  }
}
