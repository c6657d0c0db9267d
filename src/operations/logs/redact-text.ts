import { parse, stringify } from 'yaml'
import { holdsSecret, isSecretOption } from '../../cluster/k3s-options.js'
import { redact, Secret } from '../../core/secret.js'

const SHOWN = '[secret]'

/** What is a secret wherever it stands: tokens of k3s, private keys, bearer tokens, passwords inside URLs. */
const PATTERNS: readonly (readonly [RegExp, string])[] = [
  [/K10[0-9a-f]{64}::[^\s"'\\,]+/g, SHOWN],
  [/-----BEGIN ([A-Z ]*)PRIVATE KEY-----[\s\S]*?(-----END \1PRIVATE KEY-----|$)/g, SHOWN],
  [/\beyJ[\w-]{10,}\.[\w-]{10,}\.[\w-]+/g, SHOWN],
  [/\b([Bb]earer|[Bb]asic) +[A-Za-z0-9+/=._~-]{8,}/g, `$1 ${SHOWN}`],
  [/(:\/\/)[^\s/:@"']*:[^\s/@"']+@/g, `$1${SHOWN}@`],
  [
    /((?:client-key-data|token|password|passwd|secret[_-]?key|access[_-]?key)["']?\s*[:=]\s*)("[^"]*"|'[^']*'|[^\s,;}"']+)/gi,
    `$1${SHOWN}`,
  ],
]

/** Takes every known secret, and all that looks like one, out of a text. */
export function redactText(text: string, secrets: readonly Secret[]): string {
  let result = redact(text, secrets)
  for (const [pattern, shown] of PATTERNS) result = result.replace(pattern, shown)
  return result
}

/** A configuration that may be shown, and the secrets that it held. */
export interface RedactedConfig {
  readonly text: string
  readonly secrets: readonly Secret[]
}

/** Keys of registries.yaml whose value is a secret; `auth` is one too where it is not a mapping. */
const REGISTRY_SECRETS = /^(password|auth|identity_?token|registry_?token|token|username)$/i

/**
 * Takes the secrets out of a k3s configuration or registries.yaml by its keys, whatever style of YAML it is written in. A
 * file that cannot be read as YAML is left out: where its secrets are is not known.
 */
export function redactConfig(text: string, kind: 'config' | 'registries'): RedactedConfig {
  const secrets: Secret[] = []
  const hide = (value: unknown): string => {
    secrets.push(new Secret(String(value)))
    return SHOWN
  }
  const isSecret = (key: string): boolean =>
    kind === 'config' ? isSecretOption(key.replace(/\+$/, '')) : REGISTRY_SECRETS.test(key)
  const walk = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(walk)
    if (kind === 'config' && holdsSecret(value)) return hide(value)
    if (typeof value !== 'object' || value === null) return value
    return Object.fromEntries(
      Object.entries(value).map(([key, inner]) => {
        const scalar = typeof inner !== 'object' || inner === null
        if (isSecret(key) && scalar) return [key, hide(inner)]
        if (isSecret(key) && Array.isArray(inner)) return [key, inner.map(hide)]
        return [key, walk(inner)]
      }),
    )
  }
  let value: unknown
  try {
    value = parse(text)
  } catch {
    return {
      text: '# left out: it cannot be read as YAML, so its secrets cannot be told from the rest\n',
      secrets,
    }
  }
  if (value === null || value === undefined) return { text: '', secrets }
  return { text: redactText(stringify(walk(value)), secrets), secrets }
}

/** Takes values of variables, and copies of what was applied, out of objects of Kubernetes. */
export function redactObjects(json: string, secrets: readonly Secret[]): string {
  try {
    const hidden = JSON.stringify(
      JSON.parse(json, (key: string, value: unknown) => {
        if (key === 'kubectl.kubernetes.io/last-applied-configuration') return SHOWN
        if (key === 'env' && Array.isArray(value))
          return value.map((entry: Record<string, unknown>) =>
            'value' in entry ? { ...entry, value: SHOWN } : entry,
          )
        return value
      }),
      null,
      1,
    )
    return redactText(hidden, secrets)
  } catch {
    // Cut off in the middle, or an error message.
    return redactText(json.replace(/"value":\s*"(?:[^"\\]|\\.)*"/g, `"value": "${SHOWN}"`), secrets)
  }
}
