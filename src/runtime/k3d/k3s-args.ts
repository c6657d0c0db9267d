import { isSecretOption, k3sOption } from '../../cluster/k3s-options.js'

/** The value of an argument of k3s that is hidden, since it is a password or holds one; undefined for others. */
export function hiddenValue(arg: string): string | undefined {
  const given = withValue(arg)
  return given && isSecretOption(given.key) ? given.value : undefined
}

/** The option and the value of an argument of k3s that is one of a list; undefined for others. */
export function listArg(arg: string): { readonly key: string; readonly value: string } | undefined {
  const given = withValue(arg)
  return given && k3sOption(given.key)?.kind === 'list' ? given : undefined
}

/** `--key=value` in its parts; undefined where there is no value. */
function withValue(arg: string): { readonly key: string; readonly value: string } | undefined {
  const [, key, value] = /^--([^=]+)=(.*)$/s.exec(arg) ?? []
  return key === undefined || value === undefined ? undefined : { key, value }
}
