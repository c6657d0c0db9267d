import { createHash } from 'node:crypto'
import { familyOf, ipNumber, ipText, parseCidr } from '../../core/cidr.js'
import type { EngineImage, EngineNetwork } from './engine.js'
import { engineError } from './engine-error.js'
import { type FakeContainer, inspectAnswer } from './fake-container.js'
import type { FakeEngineOptions, FakeImage } from './fake-engine-types.js'
import type { FakeFile } from './fake-files.js'

/** A network of a fake engine; who is attached follows from the containers. */
export type StoredNetwork = Omit<EngineNetwork, 'containers' | 'containers6'>
/** An image with its files. */
export type StoredImage = EngineImage & { readonly files: ReadonlyMap<string, FakeFile> }

const DIRECTORIES = [
  'bin',
  'dev',
  'etc',
  'home',
  'lib',
  'opt',
  'proc',
  'root',
  'run',
  'sbin',
  'sys',
  'tmp',
  'usr',
  'var',
]

/** What a fake engine holds, with the rules of Docker about what excludes each other. */
export class FakeStore {
  readonly containers = new Map<string, FakeContainer>()
  readonly networks = new Map<string, StoredNetwork>()
  readonly volumes = new Map<
    string,
    { labels: Readonly<Record<string, string>>; files: Map<string, FakeFile> }
  >()
  readonly images = new Map<string, StoredImage>()
  readonly #options: FakeEngineOptions
  #count = 0

  constructor(options: FakeEngineOptions) {
    this.#options = options
    const own = [
      { name: 'bridge', subnet: '172.17.0.0/16' },
      { name: 'host', subnet: '' },
      { name: 'none', subnet: '' },
    ]
    const given = (options.networks ?? []).map(({ name, subnet, subnet6 }) => ({ name, subnet, subnet6 }))
    for (const { name, subnet, subnet6 } of [...own.map((one) => ({ ...one, subnet6: '' })), ...given]) {
      const driver = name === 'host' || name === 'none' ? (name === 'none' ? 'null' : 'host') : 'bridge'
      const subnets = [subnet, subnet6 ?? ''].filter((one) => one !== '')
      this.networks.set(name, { id: this.id(name), name, driver, subnets, labels: {} })
    }
    for (const [ref, image] of Object.entries(options.images ?? {})) this.addImage(ref, image)
  }

  /** Remembers everything; what is given back makes it so again, as often as it is called. */
  remember(): () => void {
    const containers = [...this.containers.values()].map((one) => ({ ...one, files: new Map(one.files) }))
    const networks = [...this.networks]
    const images = [...this.images]
    const volumes = [...this.volumes].map(
      ([name, { labels, files }]) => [name, { labels, files: new Map(files) }] as const,
    )
    return () => {
      for (const all of [this.containers, this.networks, this.images, this.volumes]) all.clear()
      for (const one of containers)
        this.containers.set(one.name, { ...one, files: new Map(one.files), waiters: [] })
      for (const [name, network] of networks) this.networks.set(name, network)
      for (const [ref, image] of images) this.images.set(ref, image)
      for (const [name, { labels, files }] of volumes)
        this.volumes.set(name, { labels, files: new Map(files) })
    }
  }

  /** An id as Docker makes them, new each time. */
  id(seed: string): string {
    return createHash('sha256')
      .update(`${seed} ${this.#count++}`)
      .digest('hex')
  }

  addImage(ref: string, image: FakeImage = {}): void {
    const tag = normalRef(ref)
    this.images.set(tag, {
      id: image.id ?? `sha256:${this.id(tag)}`,
      tags: image.tags ?? [tag],
      arch: image.arch ?? this.#options.info?.arch ?? 'amd64',
      sizeBytes: image.sizeBytes ?? 0,
      labels: image.labels ?? {},
      entrypoint: image.entrypoint ?? [],
      env: image.env ?? ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'],
      files:
        image.files ??
        new Map(
          DIRECTORIES.map((name) => [
            `/${name}`,
            { kind: 'directory', mode: '0755', content: Buffer.alloc(0) },
          ]),
        ),
    })
  }

  image(ref: string): StoredImage | undefined {
    return (
      this.images.get(normalRef(ref)) ?? [...this.images.values()].find((image) => matchesId(image.id, ref))
    )
  }

  /** A container by name or id. @throws AirliftError E_ENGINE_NOT_FOUND */
  container(name: string, verb: string): FakeContainer {
    const found = this.find(name)
    if (!found) throw this.error(404, `No such container: ${name}`, { kind: 'container', name, verb })
    return found
  }

  find(name: string): FakeContainer | undefined {
    return this.containers.get(name) ?? [...this.containers.values()].find((one) => matchesId(one.id, name))
  }

  inspect(container: FakeContainer): ReturnType<typeof inspectAnswer> {
    return inspectAnswer(container, this.image(container.config.image)?.env ?? [])
  }

  error(
    status: number,
    text: string,
    subject: { kind: 'engine' | 'container' | 'network' | 'volume' | 'image'; name: string; verb: string },
  ): Error {
    return engineError({ status, text }, { ...subject, url: this.url })
  }

  get url(): string {
    return this.#options.endpoint?.url ?? 'unix:///var/run/docker.sock'
  }

  /** Gives a container that starts its address and ports. @throws AirliftError as Docker says it */
  attach(container: FakeContainer): void {
    const { config } = container
    const subject = { kind: 'container', name: container.name, verb: 'start container' } as const
    const network = this.networks.get(config.network)
    if (!network) throw this.error(404, `network ${config.network} not found`, subject)
    // Docker remembers which network it was: another one of the same name is not it.
    if (container.networkId !== '' && container.networkId !== network.id)
      throw this.error(404, `network ${container.networkId} not found`, subject)
    container.networkId = network.id
    const others = [...this.containers.values()].filter((one) => one.state === 'running')
    const members = others.filter((one) => one.config.network === config.network)
    for (const family of [4, 6] as const) {
      const subnet = network.subnets.find((cidr) => familyOf(cidr) === family)
      const range = subnet === undefined ? undefined : parseCidr(subnet)
      const key = family === 4 ? 'address' : 'address6'
      const taken = new Set([
        ...members.map((one) => one[key]),
        family === 4 ? network.gateway : network.gateway6,
      ])
      const fixed = config[key]
      if (range && fixed) {
        const wanted = ipNumber(fixed) ?? -1n
        if (wanted < range.first || wanted > range.last) {
          const text = `Invalid address ${fixed}: It does not belong to any of this network's subnets`
          throw this.error(500, text, subject)
        }
        if (taken.has(fixed)) throw this.error(403, 'Address already in use', subject)
        container[key] = fixed
      } else if (range) {
        let next = range.first + 2n
        while (taken.has(ipText(family, next))) next++
        container[key] = ipText(family, next)
      }
    }
    const bound = others.flatMap((one) => one.ports)
    let chosen = 49_152 + bound.length
    container.ports = config.ports.map((port) => {
      const text = `${port.address}:${port.hostPort}`
      const clash = bound.some(
        (one) =>
          one.hostPort === port.hostPort &&
          one.protocol === port.protocol &&
          (one.address === port.address || isAny(one.address) || isAny(port.address)),
      )
      if (port.hostPort !== 0 && clash) {
        const reason = `Bind for ${text} failed: port is already allocated`
        throw this.error(
          500,
          `driver failed programming external connectivity on endpoint: ${reason}`,
          subject,
        )
      }
      if (this.#options.busyPorts?.includes(port.hostPort)) {
        const reason = `listen tcp4 ${text}: bind: address already in use`
        throw this.error(500, `driver failed programming external connectivity: ${reason}`, subject)
      }
      return port.hostPort === 0 ? { ...port, hostPort: chosen++ } : port
    })
  }

  /** Names of the containers that use a network or a volume, whether they run or not (a network only while they run). */
  users(kind: 'network' | 'volume', name: string): string[] {
    return [...this.containers.values()]
      .filter((one) =>
        kind === 'network'
          ? one.state === 'running' && one.address !== '' && one.config.network === name
          : one.config.mounts.some((mount) => mount.kind === 'volume' && mount.source === name),
      )
      .map((one) => one.name)
  }
}

/** An image reference as Docker shows it: without its own registry, with a tag. */
export function normalRef(ref: string): string {
  const short = ref.replace(/^(index\.)?docker\.io\//, '').replace(/^library\//, '')
  return short.includes('@') || /:[^/]+$/.test(short) ? short : `${short}:latest`
}

/** Whether all labels are there: `key=value`, or a bare key. */
export function hasLabels(of: Readonly<Record<string, string>>, wanted: readonly string[]): boolean {
  return wanted.every((label) => {
    const at = label.indexOf('=')
    return at < 0 ? label in of : of[label.slice(0, at)] === label.slice(at + 1)
  })
}

function matchesId(id: string, text: string): boolean {
  const short = text.replace(/^sha256:/, '')
  return /^[0-9a-f]{12,64}$/.test(short) && id.replace(/^sha256:/, '').startsWith(short)
}

function isAny(address: string): boolean {
  return address === '0.0.0.0' || address === '::' || address === ''
}
