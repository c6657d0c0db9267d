import type { RegistriesReader } from './reader.js'
import type { Endpoint, Registries } from './types.js'

/** Finds what is right by itself but makes no sense together: settings that are never used, TLS for plain HTTP. */
export function crossCheck(registries: Registries, reader: RegistriesReader): void {
  const byHost = new Map<string, Endpoint[]>()
  for (const { endpoints } of registries.mirrors.values()) {
    for (const endpoint of endpoints)
      byHost.set(endpoint.host, [...(byHost.get(endpoint.host) ?? []), endpoint])
  }
  for (const [host, { tls, node }] of registries.configs) {
    const used = byHost.get(host) ?? []
    const [plain] = used
    if (tls && plain && used.every((endpoint) => endpoint.scheme === 'http')) {
      const message = `is set, but the endpoint "${plain.text}" is plain HTTP`
      reader.refuse(tls.node, `configs.${host}.tls`, message, `write https://${host}, or take tls out`)
    }
    if (used.length > 0 || host === '*') continue
    const contacted = registries.mirrors.get(host)?.endpoints.map((endpoint) => endpoint.host) ?? []
    if (contacted.length > 0) {
      const names = [...new Set(contacted)].join(', ')
      reader.warn(
        node,
        `configs.${host} is for a host that is not contacted: ${host} is mirrored by ${names}; put it under configs."${contacted[0]}"`,
      )
      continue
    }
    // A port forgotten or too many is the commonest reason why a password is never sent.
    const near = [...byHost.keys()].find((known) => known.split(':')[0] === host.split(':')[0])
    if (near)
      reader.warn(
        node,
        `configs.${host} does not match the endpoint ${near}: host and port have to be the same`,
      )
  }
}
