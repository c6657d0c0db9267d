import { randomBytes } from 'node:crypto'
import { LABELS } from '../../cluster/container-labels.js'
import { familyOf, type IpFamily, ipText, parseCidr } from '../../core/cidr.js'
import { isAirliftError } from '../../core/errors.js'
import { fixedAddresses } from './container-body.js'
import type { Engine, EngineNetwork } from './engine.js'
import type { EngineHttp, EngineQuestion } from './engine-http.js'

/** The methods of an engine that are about networks and volumes. */
export type NetworkMethods = Pick<
  Engine,
  | 'networks'
  | 'network'
  | 'createNetwork'
  | 'removeNetwork'
  | 'attach'
  | 'detach'
  | 'keepsAddresses'
  | 'volumes'
  | 'createVolume'
  | 'removeVolume'
>

interface NetworkAnswer {
  readonly Id: string
  readonly Name: string
  readonly Driver?: string
  readonly EnableIPv6?: boolean
  readonly IPAM?: {
    readonly Config?: readonly { readonly Subnet?: string; readonly Gateway?: string }[] | null
  }
  readonly Labels?: Readonly<Record<string, string>> | null
  readonly Containers?: Readonly<
    Record<string, { readonly Name?: string; readonly IPv4Address?: string; readonly IPv6Address?: string }>
  > | null
}

/** The methods of an engine that are about networks and volumes. */
export function networkMethods(http: EngineHttp): NetworkMethods {
  const about = (kind: 'network' | 'volume', name: string, verb: string): EngineQuestion => ({
    subject: { kind, name, verb: `${verb} ${kind}` },
  })
  const network: Engine['network'] = async (name) => {
    const question: EngineQuestion = { ...about('network', name, 'look at'), absent: 404 }
    const path = `/networks/${encodeURIComponent(name)}`
    const answer = (await http.json('GET', path, question)) as NetworkAnswer | undefined
    // The engine also takes the beginning of an id for a name.
    return answer && (answer.Name === name || answer.Id === name) ? readNetwork(answer) : undefined
  }
  return {
    async networks(labels = []) {
      const found = (await http.json('GET', '/networks', {
        ...about('network', '', 'list'),
        query: { filters: labels.length > 0 ? { label: labels } : undefined },
      })) as NetworkAnswer[]
      // Who is attached is only in the answer about one network.
      const each = await Promise.all(found.map((one) => network(one.Id)))
      return each.flatMap((one) => (one ? [one] : []))
    },
    network,
    async createNetwork({ name, subnet, gateway, subnet6, gateway6, labels, mtu }) {
      const pools = [
        { Subnet: subnet, Gateway: gateway },
        ...(subnet6 === undefined ? [] : [{ Subnet: subnet6, ...(gateway6 ? { Gateway: gateway6 } : {}) }]),
      ]
      await http.json('POST', '/networks/create', {
        ...about('network', name, 'create'),
        body: {
          Name: name,
          // Before Docker 25 two networks may have one name unless this is said.
          CheckDuplicate: true,
          Driver: 'bridge',
          Attachable: true,
          EnableIPv6: pools.some((pool) => familyOf(pool.Subnet) === 6),
          IPAM: { Driver: 'default', Config: pools },
          Labels: labels,
          ...(mtu === undefined ? {} : { Options: { 'com.docker.network.driver.mtu': String(mtu) } }),
        },
      })
    },
    async removeNetwork(name) {
      const question: EngineQuestion = { ...about('network', name, 'remove'), absent: 404 }
      await http.json('DELETE', `/networks/${encodeURIComponent(name)}`, question)
    },
    async attach(name, container, { address, address6 }) {
      const body = { Container: container, EndpointConfig: fixedAddresses([address, address6]) }
      const question = { ...about('network', name, 'put a container into'), body }
      await http.json('POST', `/networks/${encodeURIComponent(name)}/connect`, question)
    },
    async detach(name, container) {
      const question: EngineQuestion = { ...about('network', name, 'take a container off'), absent: 404 }
      const body = { Container: container, Force: true }
      await http.json('POST', `/networks/${encodeURIComponent(name)}/disconnect`, { ...question, body })
    },
    async keepsAddresses(name, dual = false) {
      const found = await network(name)
      const subnet = found?.subnets.find((entry) => familyOf(entry) === 4)
      const subnet6 = dual ? found?.subnets.find((entry) => familyOf(entry) === 6) : undefined
      if (!found || subnet === undefined) return undefined
      // Docker names a gateway where it chose the subnet, and where it was told one.
      if (found.gateway === undefined && (subnet6 === undefined || found.gateway6 === undefined)) return true
      return triedAddress(http, found.name, subnet6 === undefined ? [subnet] : [subnet, subnet6])
    },
    async volumes(labels) {
      const answer = (await http.json('GET', '/volumes', {
        ...about('volume', '', 'list'),
        query: { filters: labels.length > 0 ? { label: labels } : undefined },
      })) as {
        readonly Volumes?:
          | readonly { Name: string; Labels?: Readonly<Record<string, string>> | null }[]
          | null
      }
      return (answer.Volumes ?? []).map((volume) => ({ name: volume.Name, labels: volume.Labels ?? {} }))
    },
    async createVolume(name, labels) {
      try {
        const body = { Name: name, Driver: 'local', Labels: labels }
        const question = { ...about('volume', name, 'create'), body }
        return labelsOf(await http.json('POST', '/volumes/create', question))
      } catch (error) {
        // Docker gives the volume that is there, Podman refuses.
        if (!isAirliftError(error) || !/exists|is taken/.test(error.message)) throw error
        const question = about('volume', name, 'look at')
        return labelsOf(await http.json('GET', `/volumes/${encodeURIComponent(name)}`, question))
      }
    },
    async removeVolume(name) {
      const question: EngineQuestion = { ...about('volume', name, 'remove'), absent: 404 }
      await http.json('DELETE', `/volumes/${encodeURIComponent(name)}`, question)
    },
  }
}

/** Attaches a container that is made for this, from any image, and never started; it is removed again. */
async function triedAddress(
  http: EngineHttp,
  network: string,
  subnets: readonly string[],
): Promise<boolean | undefined> {
  const addresses = subnets.flatMap((subnet) => {
    const range = parseCidr(subnet)
    return range ? [ipText(range.family, range.last - 1n)] : []
  })
  const subject = { kind: 'network', name: network, verb: 'try network' } as const
  const images = (await http.json('GET', '/images/json', { subject })) as readonly { readonly Id: string }[]
  const [image] = images
  if (addresses.length < subnets.length || !image) return undefined
  const labels = { [LABELS.temporary]: 'network', [LABELS.created]: new Date().toISOString() }
  const name = `airlift-try-${randomBytes(6).toString('hex')}`
  const path = `/containers/${name}`
  try {
    const body = { Image: image.Id, Entrypoint: ['/airlift'], Labels: labels }
    await http.json('POST', '/containers/create', { subject, query: { name }, body })
    const to = `/networks/${encodeURIComponent(network)}/connect`
    const joined = { Container: name, EndpointConfig: fixedAddresses(addresses) }
    await http.json('POST', to, { subject, body: joined })
    return true
  } catch (error) {
    if (!isAirliftError(error)) throw error
    return /made without --subnet/.test(error.message) ? false : undefined
  } finally {
    await http.json('DELETE', path, { subject, query: { force: true }, absent: 404 }).catch(() => {})
  }
}

function labelsOf(answer: unknown): Readonly<Record<string, string>> {
  return (answer as { readonly Labels?: Readonly<Record<string, string>> | null } | undefined)?.Labels ?? {}
}

function readNetwork(answer: NetworkAnswer): EngineNetwork {
  // Docker keeps a subnet of IPv6 that it was given without being told to use it.
  const pools = (answer.IPAM?.Config ?? []).filter(
    (pool) => answer.EnableIPv6 !== false || familyOf(pool.Subnet ?? '') === 4,
  )
  const gatewayOf = (family: IpFamily): string | undefined =>
    pools.find((pool) => pool.Gateway && familyOf(pool.Gateway) === family)?.Gateway
  const gateway6 = gatewayOf(6)
  const gateway = gatewayOf(4) ?? gateway6
  const bare = (address: string): string => address.replace(/\/\d+$/, '')
  const attached = Object.values(answer.Containers ?? {})
  const containers = attached.map((one) => [one.Name ?? '', bare(one.IPv4Address || one.IPv6Address || '')])
  const containers6 = attached.flatMap((one) =>
    one.IPv6Address ? [[one.Name ?? '', bare(one.IPv6Address)]] : [],
  )
  return {
    id: answer.Id,
    name: answer.Name,
    driver: answer.Driver ?? '',
    subnets: pools.flatMap((pool) => (pool.Subnet ? [pool.Subnet] : [])),
    ...(gateway ? { gateway } : {}),
    ...(gateway6 ? { gateway6 } : {}),
    labels: answer.Labels ?? {},
    containers: Object.fromEntries(containers),
    containers6: Object.fromEntries(containers6),
  }
}
