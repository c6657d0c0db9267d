import { AirliftError } from '../core/errors.js'
import type { Secret } from '../core/secret.js'

/** Secrets by the names under which plans refer to them. */
export type Secrets = ReadonlyMap<string, Secret>

const REFERENCE = /\{\{secret:([^{}]+)\}\}/g

/** The reference to a secret as it stands in a plan. */
export function secretRef(name: string): string {
  return `{{secret:${name}}}`
}

/** Replaces `{{secret:NAME}}` by `encode(value)`. @throws AirliftError E_INTERNAL for a name that nobody gave */
export function fillSecrets(
  text: string,
  secrets: Secrets,
  encode: (value: string) => string = (value) => value,
): string {
  return text.replace(REFERENCE, (_, name: string) => {
    const secret = secrets.get(name)
    if (!secret)
      throw new AirliftError('E_INTERNAL', `the plan refers to the secret "${name}", which is not known`)
    return encode(secret.reveal())
  })
}

/** Names of the secrets that a text refers to. */
export function secretNames(text: string): string[] {
  return [...text.matchAll(REFERENCE)].map((match) => match[1] ?? '')
}
