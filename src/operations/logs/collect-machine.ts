import type { Context } from '../../core/context.js'
import { toAirliftError } from '../../core/errors.js'
import { Secret } from '../../core/secret.js'
import type { Machine } from '../../machine/machine.js'
import { redactConfig, redactObjects, redactText } from './redact-text.js'
import { capped, MAX_BYTES, MAX_MACHINE_BYTES, SECRET_FILES, type Section } from './sections.js'
import type { Tree } from './write-tree.js'

/** What was collected of one machine, or of the cluster. */
export interface Collected {
  readonly files: number
  readonly bytes: number
  /** Files that hold only their newest part. */
  readonly cut: readonly string[]
  /** Why the rest is missing. */
  readonly error?: { readonly code: string; readonly message: string; readonly hint: string | null }
}

/** Reads the secrets that lie on a machine, so that they can be taken out of whatever mentions them; they are not kept. */
export async function machineSecrets(machine: Machine, ctx: Context): Promise<Secret[]> {
  const script = [
    `cat ${SECRET_FILES.join(' ')} 2>/dev/null`,
    "sed -n 's/^K3S_[A-Z_]*TOKEN=//p' /etc/rancher/k3s/*.env /etc/default/k3s* /etc/systemd/system/k3s*.env 2>/dev/null",
    ':',
  ].join('\n')
  const { stdout } = await machine.run(script, { signal: ctx.signal, idempotent: true, timeoutMs: 30_000 })
  return secretsOf(stdout).map((text) => new Secret(text))
}

/** The secrets among lines: each as it is, and of a token its password too. */
export function secretsOf(text: string): string[] {
  const lines = text.split('\n').flatMap((line) => {
    const value = line.trim().replace(/^["']|["']$/g, '')
    return [value, value.replace(/^K10.*::(?:[^:]*:)?/, '')]
  })
  return [...new Set(lines)].filter((line) => line.length >= 4)
}

/** First line of a file that was too long. */
export const CUT = '[cut: only the newest part is here]'

/**
 * Runs sections one after the other, and writes each before the next is asked for: no more than one file of a machine is in
 * memory. A section that fails says so in its file; a machine that is lost ends the collection.
 */
export async function collectSections(
  sections: readonly Section[],
  dir: string,
  machine: Machine,
  secrets: Secret[],
  tree: Tree,
  ctx: Context,
): Promise<Collected> {
  const cut: string[] = []
  let files = 0
  let bytes = 0
  for (const section of sections) {
    const room = Math.min(MAX_BYTES, MAX_MACHINE_BYTES - bytes)
    if (room < 1024) {
      cut.push(`${dir}/${section.file}`)
      continue
    }
    try {
      const result = await machine.run(capped(section.script, room), {
        signal: ctx.signal,
        idempotent: true,
        timeoutMs: 120_000,
        maxOutputBytes: MAX_BYTES + 4096,
      })
      const whole = Buffer.byteLength(result.stdout) <= room
      const text = whole ? result.stdout : `${CUT}\n${afterFirstLine(result.stdout)}`
      if (!whole) cut.push(`${dir}/${section.file}`)
      bytes += await tree.write(`${dir}/${section.file}`, readable(section, text, secrets))
      files += 1
    } catch (thrown) {
      if (ctx.signal.aborted) throw thrown
      const { code, message, hint = null } = toAirliftError(thrown)
      // A local disk that is full would fail for every other file too.
      if (code === 'E_DISK_FULL' || code === 'E_LOCAL_FILE') throw thrown
      if (code !== 'E_TIMEOUT') return { files, bytes, cut, error: { code, message, hint } }
      await tree.write(`${dir}/${section.file}`, `${message}\n`)
    }
  }
  return { files, bytes, cut }
}

/** Without the line that a cut went through. */
export const afterFirstLine = (text: string): string => text.slice(text.indexOf('\n') + 1)

/** A file without its secrets; those that it held itself are added to `secrets`, for the files after it. */
export function readable({ kind }: Pick<Section, 'kind'>, text: string, secrets: Secret[]): string {
  if (kind === 'objects') return redactObjects(text, secrets)
  if (kind === 'text' || /^cat: /.test(text)) return redactText(text, secrets)
  const config = redactConfig(text, kind)
  secrets.push(...config.secrets)
  return redactText(config.text, secrets)
}
