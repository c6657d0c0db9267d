import type { FakeEngine } from '../machine/docker/fake-engine-types.js'
import { KEPT_INITIALIZED } from '../machine/state-paths.js'
import { packEntries } from '../rootfs/tar/pack-entries.js'

const K3S = {
  dataDir: '/var/lib/rancher/k3s',
  config: '/etc/rancher/k3s/config.yaml',
  tokenFile: '/etc/rancher/k3s/token',
  kubeconfig: '/etc/rancher/k3s/k3s.yaml',
} as const
/** What a member of etcd leaves in its data when it is put out. */
const ETCD_TOMBSTONE = `${K3S.dataDir}/server/db/etcd/tombstone`
/** Where a node notes of which cluster it is; in its data volume, as k3s' own data are. */
const MEMBER = `${K3S.dataDir}/server/model`
const ETCD = `${K3S.dataDir}/server/db/etcd/name`
const SQLITE = `${K3S.dataDir}/server/db/state.db`

interface Cluster {
  readonly id: number
  readonly token: string
  readonly etcd: boolean
  /** Names of Nodes; their passwords are kept with them. */
  readonly nodes: Set<string>
  /** Masters that its datastore counts. */
  readonly members: Set<string>
}

/** A container that runs. */
interface Running {
  readonly name: string
  readonly address: string
  /** Another one for each start. */
  readonly start: string
}

/**
 * k3s as far as it matters who is of which cluster, computed from the files and volumes of containers. A node registers when it is
 * started, and not again; a master without data founds a cluster or joins one, and one that etcd has put out ends.
 */
export class K3sModel {
  /** What no command may bring about. */
  readonly crimes = new Set<string>()
  readonly #clusters: Cluster[] = []
  readonly #registered = new Map<string, string>()
  readonly #engine: FakeEngine

  constructor(engine: FakeEngine) {
    this.#engine = engine
  }

  /** Remembers everything; what is given back makes it so again. */
  remember(): () => void {
    const copy = (all: readonly Cluster[]): Cluster[] =>
      all.map((one) => ({ ...one, nodes: new Set(one.nodes), members: new Set(one.members) }))
    const [clusters, registered, crimes] = [copy(this.#clusters), [...this.#registered], [...this.crimes]]
    return () => {
      this.#clusters.splice(0, this.#clusters.length, ...copy(clusters))
      this.#registered.clear()
      for (const [name, start] of registered) this.#registered.set(name, start)
      this.crimes.clear()
      for (const crime of crimes) this.crimes.add(crime)
    }
  }

  /** The cluster that a container is of, also one that does not run. */
  clusterOf(name: string): Cluster | undefined {
    const id = this.text(name, MEMBER)
    return id === undefined ? undefined : this.#clusters[Number(id)]
  }

  text(name: string, path: string): string | undefined {
    return this.#engine.files(name).get(path)?.content.toString('utf8')
  }

  async write(name: string, path: string, mode: string, content: Buffer): Promise<void> {
    const entry = { path, mode, content: content.toString('base64'), base64: true }
    await this.#engine.putArchive(name, '/', packEntries([entry], String))
  }

  /** What the probe prints of k3s in a container. */
  async fragments(name: string, kubeconfig: string): Promise<Record<string, string>> {
    const api = await this.apiReady(name)
    const has = (path: string): boolean => this.text(name, path) !== undefined
    const nodes = [...(this.clusterOf(name)?.nodes ?? [])]
    const items = await Promise.all(nodes.map(async (node) => nodeOf(node, await this.nodeReady(node))))
    return {
      'k3s-initialized': has(KEPT_INITIALIZED) ? 'yes' : '',
      'k3s-api': api ? 'ok' : '',
      'k3s-nodes': api ? JSON.stringify({ items }) : '',
      'k3s-datastore': [has(ETCD) ? 'etcd' : '', has(SQLITE) ? 'sqlite' : ''].join('\n'),
      'k3s-server': serverIn(this.text(name, K3S.config)) ?? '',
      'k3s-node-password': has(MEMBER) ? 'kept' : '',
      'k3s-kubeconfig': api ? kubeconfig : '',
    }
  }

  async apiReady(name: string): Promise<boolean> {
    return this.#answers(name, await this.#settled())
  }

  async nodeReady(name: string): Promise<boolean> {
    const start = (await this.#settled()).find((one) => one.name === name)?.start
    return start !== undefined && this.#registered.get(name) === start && this.#isKnown(name)
  }

  /** Whether a load balancer leads to a master that answers, or leads to no API at all. */
  async leads(balancer: string): Promise<boolean> {
    const all = await this.#settled()
    return !/ api /.test(this.text(balancer, LB) ?? '') || this.#balanced(balancer, all) !== undefined
  }

  /** `kubectl delete node`: it is out of etcd, too, and notes so as it ends. */
  async forget(node: string, through: string): Promise<void> {
    const own = this.clusterOf(through)
    own?.nodes.delete(node)
    if (!own?.members.delete(node) || !own.etcd) return
    await this.write(node, ETCD_TOMBSTONE, '0600', Buffer.from(''))
    this.#engine.exit(node, 1)
  }

  async #settled(): Promise<Running[]> {
    const found = await this.#engine.containers([])
    const all = found
      .filter(({ state }) => state === 'running')
      .map(({ id, name, startedAt, addresses }) => ({
        name,
        address: Object.values(addresses)[0] ?? '',
        start: `${id} ${startedAt}`,
      }))
    for (let again = true; again; ) {
      again = false
      for (const one of all) if (await this.#boot(one, all)) again = true
    }
    return all
  }

  /** Lets a node register, where it can. */
  async #boot({ name, start }: Running, all: readonly Running[]): Promise<boolean> {
    if (!/-(master|worker)-\d+$/.test(name) || this.#registered.get(name) === start) return false
    const config = this.text(name, K3S.config)
    if (config === undefined) return this.#accuse(`${name} was started without its files`)
    const own =
      (await this.#kept(name, config)) ?? (await this.#found(name, config)) ?? this.#joined(name, all)
    if (!own) return false
    if (isMaster(name)) own.members.add(name)
    await this.write(name, MEMBER, '0600', Buffer.from(String(own.id)))
    if (isMaster(name) && !this.#answers(name, all)) return false
    for (const path of isMaster(name) ? [own.etcd ? ETCD : SQLITE, K3S.kubeconfig] : [])
      await this.write(name, path, '0600', Buffer.from('x'))
    await this.write(name, `${K3S.dataDir}/server/token`, '0600', Buffer.from(own.token))
    own.nodes.add(name)
    this.#registered.set(name, start)
    return true
  }

  /** The cluster that a node has data of. k3s puts those of a member aside that is out of etcd, where it may join again. */
  async #kept(name: string, config: string): Promise<Cluster | undefined> {
    const own = this.clusterOf(name)
    if (!own || !isMaster(name) || own.members.has(name)) return own
    if (serverIn(config) === undefined) return undefined
    const volume = this.#engine.volumeFiles(name) as Map<string, unknown>
    for (const path of [ETCD_TOMBSTONE, MEMBER]) volume.delete(path.slice(K3S.dataDir.length))
    return undefined
  }

  async #found(name: string, config: string): Promise<Cluster | undefined> {
    // With a note that it is out, and no server to join through, it ends.
    if (!isMaster(name) || serverIn(config) !== undefined || this.clusterOf(name)) return undefined
    const token = (this.text(name, K3S.tokenFile) ?? '').trim()
    const etcd = /^cluster-init: true/m.test(config)
    const own = { id: this.#clusters.length, token, etcd, nodes: new Set<string>(), members: new Set([name]) }
    this.#clusters.push(own)
    return own
  }

  #joined(name: string, all: readonly Running[]): Cluster | undefined {
    const server = serverIn(this.text(name, K3S.config))
    const at = all.find(({ address }) => server?.includes(`//${address}:`))
    const through = at && (isMaster(at.name) ? at.name : this.#balanced(at.name, all))
    const there = through === undefined ? undefined : this.clusterOf(through)
    if (!there || through === undefined || !this.#answers(through, all)) return undefined
    if (there.token !== (this.text(name, K3S.tokenFile) ?? '').trim())
      this.#accuse(`${name} has another token`)
    else if (!there.etcd && isMaster(name)) this.#accuse(`${name} joins a datastore of one`)
    // It keeps the password of a node until that is deleted.
    else if (!there.nodes.has(name)) return there
    return undefined
  }

  #balanced(balancer: string, all: readonly Running[]): string | undefined {
    const targets = /^\d+ api (.*)$/m.exec(this.text(balancer, LB) ?? '')?.[1]?.split(' ') ?? []
    return all.find(({ name, address }) => targets.includes(address) && this.#answers(name, all))?.name
  }

  /** Whether the API of a master answers: it is a member, and most members run. */
  #answers(name: string, all: readonly Running[]): boolean {
    const own = this.clusterOf(name)
    if (!own?.members.has(name)) return false
    const up = [...own.members].filter((member) => all.some((one) => one.name === member))
    return up.includes(name) && up.length > own.members.size / 2
  }

  #isKnown(name: string): boolean {
    return this.clusterOf(name)?.nodes.has(name) === true
  }

  #accuse(crime: string): false {
    this.crimes.add(crime)
    return false
  }
}

const LB = '/etc/airlift/lb'
const isMaster = (name: string): boolean => name.includes('-master-')

function serverIn(config: string | undefined): string | undefined {
  return /^server: *"?([^"\n]+)/m.exec(config ?? '')?.[1]
}

function nodeOf(name: string, ready: boolean): unknown {
  const conditions = [{ type: 'Ready', status: ready ? 'True' : 'Unknown' }]
  return {
    metadata: { name, labels: isMaster(name) ? { 'node-role.kubernetes.io/control-plane': 'true' } : {} },
    status: {
      conditions: isMaster(name) ? [...conditions, { type: 'EtcdIsVoter', status: 'True' }] : conditions,
      addresses: [],
      nodeInfo: { kubeletVersion: 'v1.33.1+k3s1' },
    },
  }
}
