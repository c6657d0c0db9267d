import { createHash } from 'node:crypto'
import type { Role } from '../../src/cluster/spec.js'
import type { ManagedFacts } from '../../src/machine/facts/facts.js'
import { INITIALIZED, RECORD } from '../../src/machine/state-paths.js'
import { K3S, STARTING, unitName } from '../../src/runtime/k3s/paths.js'
import type { NodeStatus } from '../../src/runtime/runtime.js'

/** A file of a simulated machine: its content, or the blob of the store that it is a link to. */
export interface BoxFile {
  readonly mode: string
  readonly content: Buffer
  readonly blob?: string
}

/** One machine without its init system: what plans change and k3s reads. */
export interface Box {
  readonly name: string
  readonly address: string
  readonly files: Map<string, BoxFile>
  readonly blobs: Map<string, number>
  readonly journal: string[]
  running: boolean
}

/** What k3s keeps below its data directory that later runs ask for. */
const DB = { etcd: `${K3S.dataDir}/server/db/etcd`, sqlite: `${K3S.dataDir}/server/db/state.db` }
const SERVER_TOKEN = `${K3S.dataDir}/server/token`
const PASSWORD = '/etc/rancher/node/password'
/** The digest of the CA that k3s puts before a token. */
const CA = `K10${'ab'.repeat(32)}::server:`

/** Makes a machine with nothing on it. */
export function bareBox(name: string, address: string): Box {
  return { name, address, files: new Map(), blobs: new Map(), journal: [], running: false }
}

/**
 * The little of k3s that plans depend on. It refuses what k3s refuses: a start without its files, a token that is not the
 * cluster's, a server that nobody answers for, a second master beside SQLite, a member that joins while another is not healthy.
 */
export class SimulatedK3s {
  /** The Nodes, as the API would tell them. Scenarios may change them. */
  readonly nodes = new Map<string, NodeStatus>()
  readonly boxes = new Map<string, Box>()
  #token: string | undefined

  /** Starts k3s on a machine. @throws Error where it would end at once */
  start(box: Box, role: Role): void {
    const config = textOf(box, K3S.config)
    const token = textOf(box, K3S.tokenFile).trim()
    if (config === '' || token === '')
      throw new Error(`${box.name}: k3s has no ${config ? 'token' : 'config'}`)
    const server = /^server: *"?([^"\s]+)/m.exec(config)?.[1]
    const before = box.files.has(DB.etcd) ? 'etcd' : box.files.has(DB.sqlite) ? 'sqlite' : undefined
    const masters = [...this.boxes.values()].filter((one) => one !== box && one.running && hasDatabase(one))
    const known = this.nodes.has(box.name)
    if (role === 'worker' || (server !== undefined && !before)) {
      if (server === undefined) throw new Error(`${box.name}: a worker has no server`)
      if (masters.length === 0) throw new Error(`${box.name}: nobody answers at ${server}`)
    }
    const password = token.split(':').at(-1) ?? ''
    if (this.#token !== undefined && password !== this.#token) throw new Error(`${box.name}: token refused`)
    if (role === 'master') {
      if (!server && !before && this.#token !== undefined)
        throw new Error(`${box.name} begins a second cluster`)
      if (server && !before && masters.some((one) => one.files.has(DB.sqlite)))
        throw new Error(`${box.name}: the server keeps its data in SQLite`)
      const ill = [...this.nodes.values()].find((node) => node.name !== box.name && node.voter === false)
      if (ill && !before) throw new Error(`${box.name}: etcd has another learner, ${ill.name}`)
      const etcd = before ? before === 'etcd' : server !== undefined || /^cluster-init: *true/m.test(config)
      this.#token ??= password
      put(box, etcd ? DB.etcd : DB.sqlite, '')
      put(box, SERVER_TOKEN, `${CA}${password}\n`)
    }
    if (known && !box.files.has(PASSWORD)) throw new Error(`${box.name}: Node password rejected`)
    put(box, PASSWORD, 'x')
    box.running = true
    const voter = role === 'master' && box.files.has(DB.etcd)
    const { name, address } = box
    const status = { name, role, ready: true, version: 'v1.33.1+k3s1', address, message: '' }
    this.nodes.set(name, { ...status, ...(voter ? { voter: true } : {}) })
  }

  /** Carries out a script of a plan as far as it changes what is looked at; the others change nothing here. */
  script(box: Box, text: string, uninstall: string): void {
    if (text === uninstall) {
      this.wipe(box)
      return
    }
    if (text.includes(`: > ${INITIALIZED}`)) put(box, INITIALIZED, '')
    if (text.includes(`> ${STARTING}`)) put(box, STARTING, 'now')
    if (text.includes(`rm -f ${STARTING}`)) box.files.delete(STARTING)
    if (text.includes(`rm -f ${K3S.tokenFile}`)) box.files.delete(K3S.tokenFile)
    if (/systemctl stop k3s(-agent)?\.service/.test(text)) box.running = false
    const gone = /kubectl delete node '?([\w.-]+)/.exec(text)?.[1]
    if (gone === undefined) return
    if (![...this.boxes.values()].some((one) => one.running && one.name !== gone && hasDatabase(one)))
      throw new Error(`nobody is left to delete node ${gone}`)
    this.nodes.delete(gone)
    // A member that is taken out ends itself; without a token it does not come back.
    const member = this.boxes.get(gone)
    if (member?.files.has(DB.etcd)) member.running = member.files.has(K3S.tokenFile)
  }

  /** Everything of k3s and airlift goes from a machine. */
  wipe(box: Box): void {
    box.files.clear()
    box.blobs.clear()
    box.journal.length = 0
    box.running = false
  }

  /** What the probe would find there. */
  managed(box: Box, role: Role): ManagedFacts {
    const unit = unitName(role)
    const there = [...box.files.keys()].some((path) => path.endsWith(`/${unit}.service`))
    const record = textOf(box, RECORD)
    const files = [...box.files].map(([path, { mode, content, blob }]) => ({
      path,
      mode,
      sizeBytes: content.length,
      ...(blob ? { blob } : { sha256: createHash('sha256').update(content).digest('hex') }),
    }))
    return {
      blobs: [...box.blobs].map(([sha256, sizeBytes]) => ({ sha256, sizeBytes })),
      files: files.filter(({ path }) => !INSIDE.has(path)),
      units: [{ unit, loaded: there, enabled: there, active: box.running ? 'active' : 'inactive' }],
      journal: [...box.journal],
      ...(record ? { record: JSON.parse(record) as Record<string, unknown> } : {}),
      fragments: this.#fragments(box, role),
    }
  }

  #fragments(box: Box, role: Role): Record<string, string> {
    const answers = role === 'master' && box.running
    return {
      'k3s-version': box.files.has(K3S.binary) ? 'k3s version v1.33.1+k3s1 (abc)' : '',
      'k3s-initialized': box.files.has(INITIALIZED) ? 'yes' : '',
      'k3s-api': answers ? 'ok' : '',
      'k3s-nodes': answers ? kubernetesList([...this.nodes.values()]) : '',
      'k3s-node-password': box.files.has(PASSWORD) ? 'kept' : '',
      'k3s-server': /^server: *"?([^"\s]+)/m.exec(textOf(box, K3S.config))?.[1] ?? '',
      'k3s-token': textOf(box, K3S.tokenFile),
      'k3s-join-token': textOf(box, SERVER_TOKEN),
      'k3s-datastore': [box.files.has(DB.etcd) ? 'etcd' : '', box.files.has(DB.sqlite) ? 'sqlite' : ''].join(
        '\n',
      ),
      'k3s-pods': box.running ? 'running' : '',
      'k3s-starting': textOf(box, STARTING),
      'k3s-remains': box.files.size > 0 ? K3S.dataDir : '',
    }
  }
}

/** What k3s and airlift's marks are inside, which the probe does not list as files. */
const INSIDE: ReadonlySet<string> = new Set([
  DB.etcd,
  DB.sqlite,
  SERVER_TOKEN,
  PASSWORD,
  INITIALIZED,
  STARTING,
])

/** Whether a machine is a master that has ever run. */
export function hasDatabase(box: Box): boolean {
  return box.files.has(DB.etcd) || box.files.has(DB.sqlite)
}

/** Text of a file; empty where there is none. */
export function textOf(box: Box, path: string): string {
  return box.files.get(path)?.content.toString('utf8') ?? ''
}

function put(box: Box, path: string, text: string): void {
  box.files.set(path, { mode: '0600', content: Buffer.from(text) })
}

/** `kubectl get nodes -o json`. */
function kubernetesList(nodes: readonly NodeStatus[]): string {
  const items = nodes.map((node) => ({
    metadata: {
      name: node.name,
      labels: node.role === 'master' ? { 'node-role.kubernetes.io/control-plane': 'true' } : {},
    },
    status: {
      conditions: [
        { type: 'Ready', status: node.ready ? 'True' : 'Unknown', reason: 'NodeStatusUnknown' },
        ...(node.voter === undefined ? [] : [{ type: 'EtcdIsVoter', status: node.voter ? 'True' : 'False' }]),
      ],
      addresses: [{ type: 'InternalIP', address: node.address }],
      nodeInfo: { kubeletVersion: node.version },
    },
  }))
  return JSON.stringify({ items })
}
