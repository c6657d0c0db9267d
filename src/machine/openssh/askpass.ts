import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Secret } from '../../core/secret.js'

/** Secrets that ssh may ask for. */
export interface AskpassSecrets {
  readonly password?: Secret
  readonly passphrase?: Secret
}

/**
 * Puts secrets where only ssh's askpass finds them: files of mode 0600 in a private directory, and a script that prints
 * the one that ssh asks for. Neither argv nor the environment holds them, only the script's path.
 * @returns the environment for ssh
 */
export async function prepareAskpass(dir: string, secrets: AskpassSecrets): Promise<Record<string, string>> {
  const script = join(dir, 'askpass')
  const keep = async (name: string, secret: Secret | undefined): Promise<void> => {
    if (secret) await writeFile(join(dir, name), `${secret.reveal()}\n`, { mode: 0o600 })
  }
  await keep('password', secrets.password)
  await keep('passphrase', secrets.passphrase)
  // A question that is neither (a new host key, a one-time code) gets no answer, and ssh fails instead of waiting.
  const lines = [
    '#!/bin/sh',
    'd=${0%/*}',
    'case $1 in',
    '  *assphrase*) exec cat "$d/passphrase" ;;',
    '  *assword*) exec cat "$d/password" ;;',
    'esac',
    'exit 1',
    '',
  ]
  await writeFile(script, lines.join('\n'), { mode: 0o700 })
  // DISPLAY is what makes ssh before 8.4 use an askpass program at all.
  return { SSH_ASKPASS: script, SSH_ASKPASS_REQUIRE: 'force', DISPLAY: process.env.DISPLAY ?? ':0' }
}
