import { cidrsOverlap } from '../../core/cidr.js'
import type { Facts } from '../../machine/facts/facts.js'

/** What every program on the machine reads. */
const HOST_CONF = '/etc/resolv.conf'

/** systemd-resolved writes the real resolvers here; /etc/resolv.conf then names only its own loopback address. */
export const RESOLVED_CONF = '/run/systemd/resolve/resolv.conf'

/** The resolver of several clouds. It is link-local, and pods reach it all the same. */
const METADATA_SERVER = '169.254.169.254'

/** Unspecified, loopback, link-local, multicast, broadcast. */
const HOST_ONLY = [
  '0.0.0.0/32',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '224.0.0.0/4',
  '255.255.255.255/32',
  '::/127',
  '::ffff:127.0.0.0/104',
  'fe80::/10',
  'ff00::/8',
]

/**
 * The resolv.conf that the kubelet should hand to pods: a file of the machine, or one that is to be written with these
 * resolvers; with none of them where pods can reach none.
 */
export type ResolvConf = { readonly path: string } | { readonly nameservers: readonly string[] }

/** Whether pods can reach a resolver, as k3s decides it: a name and an address with a zone are none to it. Pure. */
export function isForPods(nameserver: string): boolean {
  if (nameserver === METADATA_SERVER) return true
  const known = cidrsOverlap(nameserver, nameserver) && !/[%/]/.test(nameserver)
  return known && !HOST_ONLY.some((network) => cidrsOverlap(network, nameserver))
}

/**
 * Chooses the resolv.conf for pods: undefined where k3s takes the machine's own. k3s takes a file only where pods can reach all
 * that it names; with neither this one nor that of systemd-resolved it would give them public resolvers. Pure.
 */
export function chooseResolvConf(facts: Facts): ResolvConf | undefined {
  const host = facts.resolv.nameservers
  const resolved = facts.resolvedNameservers ?? []
  const whole = (servers: readonly string[]): boolean => servers.length > 0 && servers.every(isForPods)
  // Named, since not every k3s knows that pods reach the server of a cloud.
  if (whole(host)) return host.includes(METADATA_SERVER) ? { path: HOST_CONF } : undefined
  if (whole(resolved)) return { path: RESOLVED_CONF }
  return { nameservers: [...new Set([...host, ...resolved].filter(isForPods))] }
}
