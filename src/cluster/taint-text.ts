/** A taint as kubectl and k3s write it: `key=value:Effect`, without the `=` where the value is empty. */
export function taintText({
  key,
  value,
  effect,
}: {
  readonly key: string
  readonly value: string
  readonly effect: string
}): string {
  return `${key}${value ? `=${value}` : ''}:${effect}`
}
