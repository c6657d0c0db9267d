/**
 * Writes an image name in full, as containerd keeps it: `busybox` is `docker.io/library/busybox:latest`,
 * `rancher/pause:3.6` is `docker.io/rancher/pause:3.6`. A digest is kept, and then no tag is added.
 * Undefined when the text is not the name of an image (a bare tag such as `v1.0` is one, by its letters: callers know better).
 */
export function normalizeImageName(text: string): string | undefined {
  const match =
    /^(?<path>[^@]+?)(?::(?<tag>[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}))?(?:@(?<digest>sha256:[0-9a-f]{64}))?$/.exec(
      text,
    )
  const { path, tag, digest } = match?.groups ?? {}
  if (!path) return undefined
  const slash = path.indexOf('/')
  const first = slash < 0 ? '' : path.slice(0, slash)
  const hasRegistry =
    first !== '' && (/[.:]/.test(first) || first === 'localhost' || first !== first.toLowerCase())
  let registry = hasRegistry ? first : 'docker.io'
  let repository = hasRegistry ? path.slice(slash + 1) : path
  if (registry === 'index.docker.io') registry = 'docker.io'
  if (registry === 'docker.io' && !repository.includes('/')) repository = `library/${repository}`
  if (!/^[a-z0-9]+(?:(?:\.|_|__|-+|\/)[a-z0-9]+)*$/.test(repository)) return undefined
  if (!/^[A-Za-z0-9.-]+(?::\d+)?$/.test(registry) && !/^\[[0-9a-f:]+\](?::\d+)?$/.test(registry))
    return undefined
  const suffix = `${tag ? `:${tag}` : digest ? '' : ':latest'}${digest ? `@${digest}` : ''}`
  return `${registry}/${repository}${suffix}`
}

/** A short word for file names: `mirrored-pause-3.6` of `docker.io/rancher/mirrored-pause:3.6`. */
export function shortImageName(name: string): string {
  const last = name.replace(/@.*$/, '').split('/').at(-1) ?? name
  return last
    .replaceAll(':', '-')
    .replace(/[^A-Za-z0-9._-]/g, '-')
    .slice(0, 60)
}
