import { createHash } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { afterEach, beforeEach } from 'vitest'
import type { ContainerSpec } from '../cluster/container-spec.js'
import type { ClusterSpec } from '../cluster/spec.js'
import { type Context, createContext } from '../core/context.js'
import { createFakeEngine } from '../machine/docker/fake-engine.js'
import type { FakeEngine, FakeEngineOptions, FakeExecCall } from '../machine/docker/fake-engine-types.js'
import type { Rootfs } from '../rootfs/manifest.js'
import { testContainers } from '../runtime/k3d/world.fixture.js'
import { testManifest } from '../runtime/k3s/world.fixture.js'
import { listUserFiles, USER_FILES } from '../runtime/user-files.js'
import type { OperationDeps } from './session.js'

// A fake engine whose containers behave as nodes of k3s: what is run in them is answered from the files that they were given.

/** The image that planning finds on it, so that none need be built. */
export const NODE_IMAGE = 'rancher/k3s:v1.33.1-k3s1'

const probe = readFileSync(new URL('../machine/facts/golden/minimal.probe.txt', import.meta.url), 'utf8')

/** What a test is given: an engine, a context, and what every operation needs. */
export interface ContainerLab {
  readonly engine: FakeEngine
  readonly ctx: Context
  readonly deps: OperationDeps
  /** Scripts that were run, as `CONTAINER: first words`; probes are left out. */
  readonly scripts: readonly string[]
  /** Lets the cluster have no Node of a container any more. */
  readonly forget: (container: string) => void
  /** Interrupts what runs. */
  readonly abort: () => void
}

/** How the containers behave. */
export interface LabOptions extends FakeEngineOptions {
  /** Where records and kubeconfigs are. */
  readonly home: string
  /** Variables beside those that point to `home`. */
  readonly env?: Readonly<Record<string, string>>
  /** Answers a script in a container before anything else does; undefined lets it go well. */
  readonly script?: (container: string, script: string) => Answer | undefined
  /** Answers everything that is run in a container, the probe too, in place of what is here. */
  readonly respond?: (engine: FakeEngine, container: string, script: string) => Promise<Answer>
}

/** What a script in a container prints, and how it ends. */
export interface Answer {
  readonly exitCode?: number
  readonly stdout?: string
}

/** Makes the engine and all that goes with it. Waits are answered in the containers: nothing listens here. */
export function containerLab(options: LabOptions): ContainerLab {
  const scripts: string[] = []
  const ready = new Set<string>()
  const controller = new AbortController()
  const engine: FakeEngine = createFakeEngine({
    images: { [NODE_IMAGE]: {} },
    ...options,
    endpoint: { local: false, host: '127.0.0.1', ...options.endpoint },
    exec: async (call: FakeExecCall) => {
      const text = (await call.stdin()).toString('utf8')
      const nonce = /airlift-[0-9a-f]{24}/.exec(text)?.[0] ?? ''
      const go = `\n${nonce} go 1\n`
      const own = (): Answer => {
        if (text.includes('probe() {')) return { stdout: lookInside(engine, call.container, text, ready) }
        scripts.push(`${call.container}: ${words(text)}`)
        const scripted = options.script?.(call.container, text)
        if (scripted) return scripted
        if (text.includes(': > /var/lib/airlift/initialized')) ready.add(call.container)
        const left = /(airlift-\S+)\.node-password\.k3s/.exec(text)?.[1]
        if (left) ready.delete(left)
        if (text.includes('cat /etc/rancher/k3s/k3s.yaml')) return { stdout: KUBECONFIG }
        return {}
      }
      const answer = (await options.respond?.(engine, call.container, text)) ?? own()
      return { exitCode: answer.exitCode ?? 0, stdout: `${go}${answer.stdout ?? ''}`, stderr: go }
    },
  })
  const ctx = createContext({
    signal: controller.signal,
    env: {
      HOME: options.home,
      XDG_STATE_HOME: options.home,
      KUBECONFIG: `${options.home}/config`,
      ...options.env,
    },
    clock: { now: () => Date.now(), sleep: async () => {} },
  })
  const deps: OperationDeps = { secrets: undefined as never, connectEngine: async () => engine }
  return {
    engine,
    ctx,
    deps,
    scripts,
    forget: (name) => ready.delete(name),
    abort: () => controller.abort(new Error('interrupted')),
  }
}

/** A home directory for each test of a file. */
export interface ContainerHome {
  /** Of the test that runs. */
  readonly path: string
  /** An engine whose records and kubeconfigs are there. */
  lab(options?: Partial<LabOptions>): ContainerLab
}

/** Gives the tests of a file their homes, and takes them away again. */
export function containerHome(): ContainerHome {
  let path = ''
  beforeEach(() => {
    path = mkdtempSync(join(tmpdir(), 'airlift-containers-'))
  })
  afterEach(() => rmSync(path, { recursive: true, force: true }))
  return {
    get path() {
      return path
    },
    lab: (options = {}) => containerLab({ home: path, ...options }),
  }
}

/** The spec of a cluster of another name than `dev`, which its containers are called by. */
export function containersNamed(name: string, more: Partial<ContainerSpec> = {}): ClusterSpec {
  const spec = testContainers(1, 1, more, { name })
  const renamed = (node: ClusterSpec['nodes'][number]): typeof node => {
    const host = node.target.host.replace('dev', name)
    return { ...node, target: { ...node.target, host, text: host } }
  }
  return { ...spec, masters: spec.masters.map(renamed), nodes: spec.nodes.map(renamed) }
}

/** What a master tells of itself. */
export const KUBECONFIG = `apiVersion: v1
kind: Config
clusters: [{ name: default, cluster: { server: "https://127.0.0.1:6443", certificate-authority-data: QQ== } }]
users: [{ name: default, user: { client-certificate-data: QQ==, client-key-data: QQ== } }]
contexts: [{ name: default, context: { cluster: default, user: default } }]
current-context: default
`

/** The kinds of actions that a script was compiled from, or how it begins. */
function words(text: string): string {
  const whats = [...text.matchAll(/not done after \d+ s: ([^']*)/g)].map((match) => match[1])
  return whats.length > 0
    ? `wait for ${whats.join(', ')}`
    : (/k3s kubectl [a-z]+|write|cat \S+/.exec(text)?.[0] ?? 'script')
}

/** What the probe would print in a container: its files as they were put, and what k3s says of itself, which `more` overrides. */
export function lookInside(
  engine: FakeEngine,
  name: string,
  script: string,
  ready: ReadonlySet<string> = new Set(),
  more: Readonly<Record<string, string>> = {},
): string {
  const files = engine.files(name)
  const asked = [...script.matchAll(/ index=(\d+) path='?([^'\n]+?)'? copy=/g)]
  const sums: string[] = []
  const lines = asked.flatMap(([, index, path = '']) => {
    const file = files.get(path)
    if (!file) return []
    const mode = `-${[6, 3, 0]
      .map((at) => {
        const bits = (Number.parseInt(file.mode, 8) >> at) & 7
        return `${bits & 4 ? 'r' : '-'}${bits & 2 ? 'w' : '-'}${bits & 1 ? 'x' : '-'}`
      })
      .join('')}`
    const sum = createHash('sha256').update(file.content).digest('hex')
    sums.push(`${sum}  ${path}`)
    return [`file\t${index}\t1\t${mode}\t${file.content.length}\t`]
  })
  const master = name.includes('-master-')
  const up = ready.has(name)
  const cluster = (node: string): string => node.replace(/-(master|worker)-\d+$/, '')
  const isBeside = (node: string): boolean => cluster(node) === cluster(name)
  const fragments: Record<string, string> = {
    'k3s-version': 'k3s version v1.33.1+k3s1 (abc)',
    'k3s-initialized': up ? 'yes' : '',
    'k3s-api': master && up ? 'ok' : '',
    'k3s-nodes': master && up ? JSON.stringify({ items: [...ready].filter(isBeside).map(nodeOf) }) : '',
    'k3s-token': files.get('/etc/rancher/k3s/token')?.content.toString('utf8') ?? '',
    [USER_FILES]: listUserFiles(files),
    'k3d-archives': [...files.keys()]
      .filter((path) => path.startsWith('/var/lib/airlift/images/.airlift/'))
      .map((path) => path.split('/').at(-1))
      .join('\n'),
    ...more,
  }
  const blocks = Object.entries(fragments).map(([key, value]) => `<fragment.${key}\tfence\n${value}\n>fence`)
  const now = `${BigInt(Date.now()) * 1_000_000n}`
  return probe
    .replace(/^hostname\t.*$/m, `hostname\t${name}`)
    .replace(/^clock(End)?\t.*$/gm, (_line, end = '') => `clock${end}\t${now}`)
    .replace(/^clockEnd\t/m, `${[...lines, '<sums\tfence', ...sums, '>fence', ...blocks].join('\n')}\n$&`)
}

function nodeOf(name: string): unknown {
  const master = name.includes('-master-')
  return {
    metadata: { name, labels: master ? { 'node-role.kubernetes.io/control-plane': 'true' } : {} },
    status: {
      conditions: [
        { type: 'Ready', status: 'True' },
        ...(master ? [{ type: 'EtcdIsVoter', status: 'True' }] : []),
      ],
      addresses: [],
      nodeInfo: { kubeletVersion: 'v1.33.1+k3s1' },
    },
  }
}

/** A rootfs with one image of three bytes. */
export function tinyRootfs(more: Partial<Rootfs> = {}): Rootfs {
  return {
    ref: 'k3s.airlift',
    digest: 'sha256:00',
    manifest: { ...testManifest, files: testManifest.files.map((file) => ({ ...file, size: 3 })) },
    templates: {},
    openBlob: () => Readable.from([Buffer.from('abc')]),
    describeBlob: (sha256) => sha256,
    close: async () => {},
    ...more,
  }
}

/** Everything that the engine has of a cluster, by name. */
export async function belongings(engine: FakeEngine, cluster: string): Promise<string[]> {
  const label = `airlift.cluster=${cluster}`
  const [containers, volumes, networks] = await Promise.all([
    engine.containers([label]),
    engine.volumes([label]),
    engine.networks(),
  ])
  return [
    ...containers.map(({ name, state }) => `container ${name} ${state}`),
    ...networks
      .filter((network) => network.labels['airlift.cluster'] === cluster)
      .map(({ name }) => `network ${name}`),
    ...volumes.map(({ name }) => `volume ${name}`),
  ].sort()
}
