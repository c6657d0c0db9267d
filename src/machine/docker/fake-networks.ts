import type { NetworkMethods } from './engine-networks.js'
import type { EngineMethod, FakeEngineOptions } from './fake-engine-types.js'
import { type FakeStore, hasLabels } from './fake-store.js'
import { ipv4Range } from './ipv4.js'

/** The methods of a fake engine that are about networks and volumes. */
export function fakeNetworkMethods(
  options: FakeEngineOptions,
  store: FakeStore,
  enter: (method: EngineMethod, ...args: readonly unknown[]) => Promise<void>,
): NetworkMethods {
  return {
    async networks(labels = []) {
      await enter('networks', labels)
      return [...store.networks.values()]
        .filter((one) => hasLabels(one.labels, labels))
        .map((one) => ({ ...one, containers: attached(store, one.name) }))
    },
    async network(name) {
      await enter('network', name)
      const found = store.networks.get(name)
      return found && { ...found, containers: attached(store, name) }
    },
    async keepsAddresses(name) {
      await enter('keepsAddresses', name)
      if (!store.networks.has(name)) return undefined
      return options.networks?.find((one) => one.name === name)?.automatic !== true
    },
    async createNetwork(network) {
      await enter('createNetwork', network)
      const subject = { kind: 'network', name: network.name, verb: 'create network' } as const
      if (store.networks.has(network.name)) {
        throw store.error(409, `network with name ${network.name} already exists`, subject)
      }
      const wanted = ipv4Range(network.subnet)
      if (!wanted) throw store.error(400, `invalid network config: ${network.subnet}`, subject)
      for (const other of [...store.networks.values()].flatMap((one) => one.subnets)) {
        const range = ipv4Range(other)
        if (range && range.first <= wanted.last && wanted.first <= range.last) {
          throw store.error(403, 'Pool overlaps with other one on this address space', subject)
        }
      }
      const { name, subnet, gateway, labels } = network
      const id = store.id(name)
      store.networks.set(name, { id, name, driver: 'bridge', subnets: [subnet], gateway, labels })
    },
    async removeNetwork(name) {
      await enter('removeNetwork', name)
      if (store.users('network', name).length > 0) {
        const text = `error while removing network: network ${name} has active endpoints`
        throw store.error(403, text, { kind: 'network', name, verb: 'remove network' })
      }
      store.networks.delete(name)
    },
    async detach(network, name) {
      await enter('detach', network, name)
      const found = store.find(name)
      if (found?.state === 'running' && found.config.network === network) found.address = ''
    },
    async volumes(labels) {
      await enter('volumes', labels)
      return [...store.volumes]
        .filter(([, volume]) => hasLabels(volume.labels, labels))
        .map(([name, volume]) => ({ name, labels: volume.labels }))
    },
    async createVolume(name, labels) {
      await enter('createVolume', name, labels)
      if (!store.volumes.has(name)) store.volumes.set(name, { labels, files: new Map() })
      return store.volumes.get(name)?.labels ?? {}
    },
    async removeVolume(name) {
      await enter('removeVolume', name)
      const users = store.users('volume', name)
      if (users.length > 0) {
        const text = `remove ${name}: volume is in use - [${users.join(', ')}]`
        throw store.error(409, text, { kind: 'volume', name, verb: 'remove volume' })
      }
      store.volumes.delete(name)
    },
  }
}

/** Who is in a network, by name. */
function attached(store: FakeStore, network: string): Record<string, string> {
  const users = [...store.containers.values()].filter(
    (one) => one.address !== '' && one.state === 'running' && one.config.network === network,
  )
  return Object.fromEntries(users.map((one) => [one.name, one.address]))
}
