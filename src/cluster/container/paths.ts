import { posix } from 'node:path'
import { STATE_DIR } from '../state-dir.js'
import type { OptionProblem } from './option-problem.js'

// k3d's pkg/types/k3s/paths.go: whoever has them in scripts need not change them.
const SHORTCUTS: Readonly<Record<string, string>> = {
  'k3s-storage': '/var/lib/rancher/k3s/storage',
  'k3s-manifests': '/var/lib/rancher/k3s/server/manifests',
  'k3s-manifests-custom': '/var/lib/rancher/k3s/server/manifests/custom',
  'k3s-containerd': '/var/lib/rancher/k3s/agent/etc/containerd/config.toml',
  'k3s-containerd-tmpl': '/var/lib/rancher/k3s/agent/etc/containerd/config.toml.tmpl',
  'k3s-registry-config': '/etc/rancher/k3s/registries.yaml',
}

/** Paths in a node that are airlift's, with what to do instead. A path below one that ends in a slash is airlift's too. */
const OWN: readonly (readonly [path: string, remedy: string])[] = [
  ['/', 'name a path below it'],
  ['/proc/', 'name another path'],
  ['/sys/', 'name another path'],
  ['/var/lib/rancher/k3s', 'leave it out: it is a volume of its own that outlives the container'],
  ['/var/lib/kubelet', 'leave it out: it is a volume of its own that outlives the container'],
  [`${STATE_DIR}/`, 'leave it out: the images of the rootfs are there'],
  ['/etc/rancher/k3s/config.yaml', 'use --config FILE or --set'],
  ['/etc/rancher/k3s/token', 'use --set token=…'],
  ['/etc/rancher/k3s/resolv.conf', 'leave it out: the names that pods resolve come from there'],
  ['/etc/airlift/', 'name another path'],
  ['/usr/local/bin/airlift-node', 'name another path'],
  ['/usr/local/bin/airlift-lb', 'name another path'],
  ['/bin/k3s', 'use --rootfs or --image'],
]

/**
 * The absolute path in a container that a user means: as written, or by one of k3d's words such as `k3s-storage`, also with more
 * behind it (`k3s-manifests/app.yaml`). Refused are paths where airlift keeps something itself.
 */
export function containerPath(text: string): { readonly path: string } | OptionProblem {
  const [first = '', ...rest] = text.split('/')
  const shortcut = Object.hasOwn(SHORTCUTS, first) ? SHORTCUTS[first] : undefined
  if (shortcut === undefined && !text.startsWith('/')) {
    return {
      message: `"${text}" is not an absolute path in the container`,
      hint: `begin it with a slash, or with one of ${Object.keys(SHORTCUTS).join(', ')}`,
    }
  }
  if (text.includes('\0')) return { message: 'a path has a zero byte', hint: 'name another path' }
  const full = shortcut === undefined ? text : [shortcut, ...rest].join('/')
  const path = posix.normalize(full.replace(/^\/+/, '/')).replace(/(.)\/$/, '$1')
  const own = OWN.find(
    ([known]) =>
      path === known.replace(/(.)\/$/, '$1') ||
      (known.length > 1 && known.endsWith('/') && path.startsWith(known)),
  )
  if (own) return { message: `"${path}" is airlift's own path in a node`, hint: own[1] }
  return { path }
}
