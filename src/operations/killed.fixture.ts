import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { LABELS } from '../cluster/container-labels.js'
import type { Engine } from '../machine/docker/engine.js'
import type { EngineMethod, FakeEngine } from '../machine/docker/fake-engine-types.js'
import { INITIALIZED, KEPT_INITIALIZED } from '../machine/state-paths.js'
import { type Answer, type ContainerLab, containerLab, KUBECONFIG, lookInside } from './containers.fixture.js'
import { K3sModel } from './k3s-model.fixture.js'

// Operations that are killed between two requests to the engine: the last one is done, and nothing comes after it.

/** Requests that change something; a script in a container may be one too. */
const CHANGING: ReadonlySet<string> = new Set<EngineMethod>([
  ...(['createContainer', 'startContainer', 'stopContainer', 'restartContainer', 'setRestart'] as const),
  ...(['removeContainer', 'renameContainer', 'putArchive', 'createNetwork', 'removeNetwork'] as const),
  ...([
    'attach',
    'detach',
    'createVolume',
    'removeVolume',
    'pullImage',
    'importImage',
    'removeImage',
  ] as const),
])
const CHANGES = /base64 -d >|delete node|: > \S+initialized|awk '\{ line/

const never = (): Promise<never> => new Promise(() => {})

/** One command: it goes on until it has made so many requests. */
class Process {
  readonly requests: string[] = []
  readonly killed: Promise<void>
  dead = false
  #die: () => void = () => {}
  readonly #limit: number

  constructor(limit: number) {
    this.#limit = limit
    this.killed = new Promise((resolve) => {
      this.#die = resolve
    })
  }

  /** Resolves where the request is made. */
  async request(what: string): Promise<void> {
    if (!this.dead && this.requests.length < this.#limit) {
      this.requests.push(what)
      return
    }
    this.dead = true
    this.#die()
    return never()
  }
}

/** An engine with a model of k3s in its containers, and commands that can be killed. */
export interface KillLab extends ContainerLab {
  readonly model: K3sModel
  /** Runs a command up to so many requests, and tells those. */
  run(command: () => Promise<unknown>, requests?: number): Promise<readonly string[]>
  /** Remembers all that there is; what is given back makes it so again. */
  remember(): () => void
}

/** Makes the lab, with its records in a directory. */
export function killLab(home: string): KillLab {
  let process = new Process(Number.POSITIVE_INFINITY)
  const lab = containerLab({
    home,
    respond: (_engine, name, script) => respond(lab.engine, model, process, name, script),
  })
  const model = new K3sModel(lab.engine)
  const copies: string[] = []
  return {
    ...lab,
    deps: { ...lab.deps, connectEngine: async () => killable(lab.engine, process) },
    model,
    async run(command, requests = Number.POSITIVE_INFINITY) {
      const own = new Process(requests)
      process = own
      await Promise.race([command(), own.killed])
      own.dead = true
      // What was asked for at the same moment has been done.
      for (let turns = 0; turns < 5; turns++) await new Promise((resolve) => setImmediate(resolve))
      process = new Process(Number.POSITIVE_INFINITY)
      return own.requests
    },
    remember() {
      const [engine, k3s] = [lab.engine.remember(), model.remember()]
      const copy = mkdtempSync(join(tmpdir(), 'airlift-killed-'))
      copies.push(copy)
      cpSync(home, copy, { recursive: true })
      return () => {
        engine()
        k3s()
        rmSync(home, { recursive: true, force: true })
        cpSync(copy, home, { recursive: true })
      }
    },
    abort: () => {
      for (const copy of copies) rmSync(copy, { recursive: true, force: true })
    },
  }
}

/** The engine as a process has it: nothing is answered any more once that is dead. */
function killable(engine: FakeEngine, process: Process): Engine {
  return new Proxy(engine, {
    get(target, key: keyof FakeEngine) {
      const method: unknown = target[key]
      if (typeof method !== 'function') return method
      return async (first: unknown, ...rest: unknown[]): Promise<unknown> => {
        if (process.dead && key !== 'close') return never()
        if (CHANGING.has(key)) await process.request(`${key} ${nameOf(first)}`)
        const labelled = key === 'createVolume' ? [first, strange(rest[0])] : [strangeOf(first), ...rest]
        const answer = await method.apply(target, labelled)
        return process.dead && key !== 'close' ? never() : answer
      }
    },
  })
}

const nameOf = (first: unknown): string =>
  typeof first === 'string' ? first : (first as { readonly name: string }).name

/** Labels of a command whose process is gone. Of the commands of a test one process would be the maker, and live. */
function strange(labels: unknown): unknown {
  const own = (labels ?? {}) as Readonly<Record<string, string>>
  return own[LABELS.maker] === undefined ? own : { ...own, [LABELS.maker]: `4194999@${hostname()}` }
}

function strangeOf(first: unknown): unknown {
  if (typeof first !== 'object' || first === null || !('labels' in first)) return first
  return { ...first, labels: strange(first.labels) }
}

async function respond(
  engine: FakeEngine,
  model: K3sModel,
  process: Process,
  name: string,
  script: string,
): Promise<Answer> {
  if (process.dead) return never()
  if (script.includes('probe() {')) {
    const fragments = await model.fragments(name, KUBECONFIG)
    return { stdout: lookInside(engine, name, script, new Set(), fragments) }
  }
  if (CHANGES.test(script)) await process.request(`script in ${name}`)
  for (const [, content = '', path = '', mode = ''] of script.matchAll(WRITE))
    await model.write(name, path.replaceAll("'", ''), mode, Buffer.from(content, 'base64'))
  for (const [, wait, left] of script.matchAll(WAIT_OR_FORGET)) {
    if (left) await model.forget(left, name)
    else if (wait && !(await isDone(model, name, wait)))
      return { exitCode: 1, stdout: `@@fail E_TIMEOUT ${wait}\n@@hint run the same command again\n` }
  }
  if (script.includes(`: > ${INITIALIZED}`))
    await model.write(name, KEPT_INITIALIZED, '0600', Buffer.from(''))
  return { stdout: script.includes('cat /etc/rancher/k3s/k3s.yaml') ? KUBECONFIG : '' }
}

const WRITE = /base64 -d > .*\n([\s\S]*?)\nEND-OF-FILE\n.*\nreplace \S+ (\S+) (\d+)/g
const WAIT_OR_FORGET = /not done after \d+ s: ([^'\n]*)|delete secret '?(airlift-[a-z0-9-]+)\.node-password/g

async function isDone(model: K3sModel, name: string, what: string): Promise<boolean> {
  const all = async (names: readonly string[]): Promise<boolean> =>
    (await Promise.all(names.map((one) => model.nodeReady(one)))).every(Boolean)
  const [, ready, healthy, without] =
    /^node (\S+) to be Ready|healthy on (.*)|^etcd to be without (\S+)/.exec(what) ?? []
  if (ready) return all([ready])
  if (healthy) return all(healthy.split(', '))
  if (without) return !model.clusterOf(name)?.members.has(without)
  if (/load balancer/.test(what)) return model.leads(name)
  return /take nodes in|API server/.test(what) ? model.apiReady(name) : true
}
