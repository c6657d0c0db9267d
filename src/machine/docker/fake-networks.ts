import { cidrsOverlap, parseCidr } from '../../core/cidr.js'
import type { EngineNetwork } from './engine.js'
import type { NetworkMethods } from './engine-networks.js'
import type { EngineMethod, FakeEngineOptions } from './fake-engine-types.js'
import { type FakeStore, hasLabels } from './fake-store.js'

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
        .map((one) => ({ ...one, ...attached(store, one.name) }))
    },
    async network(name) {
      await enter('network', name)
      const found = store.networks.get(name)
      return found && { ...found, ...attached(store, name) }
    },
    async keepsAddresses(name, dual) {
      await enter('keepsAddresses', name, dual)
      if (!store.networks.has(name)) return undefined
      return options.networks?.find((one) => one.name === name)?.automatic !== true
    },
    async createNetwork(network) {
      await enter('createNetwork', network)
      const subject = { kind: 'network', name: network.name, verb: 'create network' } as const
      if (store.networks.has(network.name)) {
        throw store.error(409, `network with name ${network.name} already exists`, subject)
      }
      const { name, subnet, gateway, subnet6, gateway6, labels } = network
      const subnets = subnet6 === undefined ? [subnet] : [subnet, subnet6]
      const taken = [...store.networks.values()].flatMap((one) => one.subnets)
      for (const wanted of subnets) {
        if (!parseCidr(wanted)) throw store.error(400, `invalid network config: ${wanted}`, subject)
        if (taken.some((cidr) => cidrsOverlap(cidr, wanted)))
          throw store.error(403, 'Pool overlaps with other one on this address space', subject)
      }
      const own = { id: store.id(name), name, driver: 'bridge', subnets, gateway, labels }
      store.networks.set(name, gateway6 === undefined ? own : { ...own, gateway6 })
    },
    async removeNetwork(name) {
      await enter('removeNetwork', name)
      if (store.users('network', name).length > 0) {
        const text = `error while removing network: network ${name} has active endpoints`
        throw store.error(403, text, { kind: 'network', name, verb: 'remove network' })
      }
      store.networks.delete(name)
    },
    async attach(network, name, addresses) {
      await enter('attach', network, name, addresses)
      const found = store.container(name, 'put into a network container')
      const there = store.networks.get(network)
      const subject = { kind: 'network', name: network, verb: 'put a container into network' } as const
      if (!there) throw store.error(404, `network ${network} not found`, subject)
      found.networkId = ''
    },
    async detach(network, name) {
      await enter('detach', network, name)
      const found = store.find(name)
      if (found?.state === 'running' && found.config.network === network)
        Object.assign(found, { address: '', address6: '' })
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
function attached(store: FakeStore, network: string): Pick<EngineNetwork, 'containers' | 'containers6'> {
  const users = [...store.containers.values()].filter(
    (one) => one.address !== '' && one.state === 'running' && one.config.network === network,
  )
  return {
    containers: Object.fromEntries(users.map((one) => [one.name, one.address])),
    containers6: Object.fromEntries(users.flatMap((one) => (one.address6 ? [[one.name, one.address6]] : []))),
  }
}
