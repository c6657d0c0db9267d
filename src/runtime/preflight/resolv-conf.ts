import type { Facts } from '../../machine/facts/facts.js'

/** systemd-resolved writes the real resolvers here; /etc/resolv.conf then names only its own loopback address. */
export const RESOLVED_CONF = '/run/systemd/resolve/resolv.conf'

/** Whether a pod cannot reach the resolver: loopback and link-local addresses are the host's own. */
export function isHostOnly(nameserver: string): boolean {
  return /^(127\.|::1$|169\.254\.|fe80:)/i.test(nameserver)
}

/**
 * The resolv.conf that the kubelet should hand to pods: undefined where the host's own will do, systemd-resolved's file where
 * that has real resolvers, `write-own` where there is none at all. Pure.
 */
export function chooseResolvConf(facts: Facts): typeof RESOLVED_CONF | 'write-own' | undefined {
  if (facts.resolv.nameservers.some((server) => !isHostOnly(server))) return undefined
  if (facts.resolvedNameservers?.some((server) => !isHostOnly(server))) return RESOLVED_CONF
  return 'write-own'
}
