import { recordOfLabels } from '../cluster/container-labels.js'
import type { World } from '../runtime/runtime.js'

/** Where the API of a cluster in containers is reached from here; undefined where no container publishes it. */
export function containerEndpoint(
  world: World,
): { readonly host: string; readonly port: number; readonly container: string } | undefined {
  const { engine } = world
  if (!engine) return undefined
  for (const container of engine.containers) {
    const api = recordOfLabels(container.labels)?.api
    if (!api) continue
    const bound = /^(127\.|0\.0\.0\.0$|::1?$|$)/.test(api.address) ? engine.endpoint.host : api.address
    return { host: api.host ?? bound, port: api.port, container: container.name }
  }
  return undefined
}

/** A host and a port as a URL, with brackets around IPv6. */
export function endpointUrl({ host, port }: { readonly host: string; readonly port: number }): string {
  return `https://${host.includes(':') ? `[${host}]` : host}:${port}`
}
