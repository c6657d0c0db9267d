import { join } from 'node:path'
import type { Readable } from 'node:stream'
import pLimit from 'p-limit'
import type { Role } from '../../cluster/spec.js'
import type { Context } from '../../core/context.js'
import { type AirliftError, toAirliftError } from '../../core/errors.js'
import type { Engine } from '../../machine/docker/engine.js'
import type { Arch } from '../../rootfs/manifest.js'
import { openImages } from '../../rootfs/oci/open-images.js'
import type { ImageArchive } from '../../rootfs/oci/source-image.js'
import { planImport, type WantedImage } from '../../runtime/images/plan-import.js'
import { type MachineSelection, selectMachines } from '../select-machines.js'
import type { OperationDeps } from '../session.js'
import { chooseImages } from './choose-images.js'
import { type EngineSource, type EngineSources, findEngineImages } from './engine-images.js'
import { archsOf, type ImageNode, observeImages } from './image-nodes.js'
import { type ImageWord, readImageWords } from './image-words.js'
import { type ImportTarget, importOnNode, type NodeImport } from './import-on-node.js'
import { readEngineImages } from './read-engine-images.js'
import { SharedArchives } from './shared-archives.js'
import { openSpool, spool } from './spool.js'

/** What `image import` is asked for. */
export interface ImportInput {
  readonly selection: MachineSelection
  /** Names of images in the Docker daemon, archives, directories of OCI layouts, `-`. */
  readonly sources: readonly string[]
  /** How long containerd may take on one node. */
  readonly timeoutMs: number
}

/** What it needs beside machines. */
export interface ImportDeps extends OperationDeps {
  /** What `-` reads. */
  readonly stdin: Readable
}

/** One image under one name, for one architecture. */
export interface ImportedImage {
  readonly name: string
  readonly arch: string
  /** `sha256:…` of its configuration, as `docker images` and `crictl images` show it. */
  readonly id: string
}

/** Why something failed, as every JSON document of airlift holds it. */
export interface ImportError {
  readonly code: string
  readonly message: string
  readonly hint: string | null
}

/** How the import ended on one machine. */
export interface ImportMachine {
  readonly machine: string
  readonly node: string
  readonly role: Role
  readonly outcome: 'changed' | 'unchanged' | 'failed'
  readonly images: readonly {
    readonly name: string
    readonly outcome: 'imported' | 'present' | 'failed'
    readonly error: ImportError | null
  }[]
  readonly error: ImportError | null
}

/** How the import ended. */
export interface ImportResult {
  readonly operation: 'image import'
  readonly outcome: 'done' | 'unchanged' | 'partial' | 'failed'
  readonly name: string
  readonly seconds: number
  readonly bytesSent: number
  readonly images: readonly ImportedImage[]
  readonly machines: readonly ImportMachine[]
}

/**
 * Brings images into the containerd of every node: what a node has is not sent, what was sent is read back. A machine that
 * fails, or is slow, leaves the others alone. Nothing is sent before all sources were found good for all nodes.
 * @throws AirliftError E_USAGE, E_LOCAL_FILE, E_IMAGE_INVALID, E_IMAGE_MISSING, E_ENGINE_UNREACHABLE, E_DISK_FULL (here),
 * E_NO_CLUSTER, E_HOST_INVALID, E_INTERRUPTED
 */
export async function importImages(
  input: ImportInput,
  ctx: Context,
  deps: ImportDeps,
): Promise<ImportResult> {
  const started = ctx.clock.now()
  const words = readImageWords(input.sources)
  await using spoolDir = await openSpool(ctx)
  await using sources = await openSources(words, spoolDir.path, ctx, deps)
  await using selected = await selectMachines(input.selection, ctx, deps)
  await using reader = sources.engine && readEngineImages(sources.engine, spoolDir.path, ctx)
  const nodes = await observeImages(selected, ctx, (node) => reader?.see(node))
  const { settled, archives } = (await reader?.finish(nodes)) ?? { settled: [], archives: [] }
  sources.archives.push(...archives)
  const chosen = chooseImages(sources.archives, archsOf(nodes))
  const names = namesOf(sources)
  const shared = new SharedArchives(ctx.clock)
  const job: Job = { names, chosen, settled, timeoutMs: input.timeoutMs, shared }
  const limit = pLimit(ctx.limits.uploads)
  const machines = await Promise.all(nodes.map((node) => limit(() => importOne(node, job, ctx))))
  ctx.signal.throwIfAborted()
  let bytesSent = 0
  for (const { machine } of selected.machines) bytesSent += machine?.stats.bytesSent ?? 0
  return {
    operation: 'image import',
    outcome: outcomeOf(machines),
    name: selected.name,
    seconds: Math.round((ctx.clock.now() - started) / 100) / 10,
    bytesSent,
    images: describeImages(chosen, settled),
    machines,
  }
}

interface Sources extends AsyncDisposable {
  readonly archives: ImageArchive[]
  readonly engine: EngineSources | undefined
}

/** Opens everything that is named, or nothing. */
async function openSources(
  words: readonly ImageWord[],
  dir: string,
  ctx: Context,
  deps: ImportDeps,
): Promise<Sources> {
  const archives: ImageArchive[] = []
  const close = async (): Promise<void> => {
    await Promise.all(archives.map((archive) => archive.close()))
  }
  try {
    for (const word of words) {
      if (word.kind === 'path') archives.push(await openImages(word.path, dir, ctx.signal))
      if (word.kind !== 'stdin') continue
      const file = join(dir, 'stdin')
      await spool(deps.stdin, file, 'standard input', ctx.signal)
      archives.push(await openImages(file, dir, ctx.signal, 'standard input'))
    }
    const engine = await findEngineImages(words, () => openEngine(ctx, deps))
    return {
      archives,
      engine,
      [Symbol.asyncDispose]: async () => {
        await close()
        await engine?.[Symbol.asyncDispose]()
      },
    }
  } catch (error) {
    await close()
    throw error
  }
}

async function openEngine(ctx: Context, deps: ImportDeps): Promise<Engine> {
  if (deps.connectEngine) return deps.connectEngine(ctx)
  const { connectEngine } = await import('../../machine/docker/connect-engine.js')
  return connectEngine(ctx)
}

/** All names that were asked for, whatever the architecture. */
function namesOf({ archives, engine }: Sources): string[] {
  const names = archives.flatMap(({ images }) => images.flatMap((image) => image.names))
  return [...new Set([...(engine?.images.map(({ name }) => name) ?? []), ...names])].sort()
}

interface Job {
  readonly names: readonly string[]
  readonly chosen: ReadonlyMap<Arch, readonly WantedImage[]>
  /** Images of the daemon that every node has. */
  readonly settled: readonly EngineSource[]
  readonly timeoutMs: number
  readonly shared: SharedArchives
}

async function importOne(
  { id, node, role, found }: ImageNode,
  job: Job,
  ctx: Context,
): Promise<ImportMachine> {
  const { names, chosen, settled, timeoutMs, shared } = job
  const about = { machine: id, node, role }
  if ('error' in found) {
    const error = describe(found.error)
    const images = names.map((name) => ({ name, outcome: 'failed' as const, error }))
    return { ...about, outcome: 'failed', images, error }
  }
  const images = chosen.get(found.arch) ?? []
  const target = { machine: found.machine, node, images: found.images, shared }
  const result = await announced({ ...target, id }, images, ctx, () =>
    importOnNode(target, images, timeoutMs, ctx),
  )
  const { error } = result
  const rows = images
    .flatMap((image) => image.names)
    .map((name): ImportMachine['images'][number] => {
      if (!result.there.has(name)) return { name, outcome: 'failed', error: error ? describe(error) : null }
      return { name, outcome: result.present.has(name) ? 'present' : 'imported', error: null }
    })
  return {
    ...about,
    outcome: error ? 'failed' : rows.some((row) => row.outcome === 'imported') ? 'changed' : 'unchanged',
    images: [...settled.map(({ name }) => ({ name, outcome: 'present' as const, error: null })), ...rows],
    error: error ? describe(error) : null,
  }
}

/** Tells those who watch of an import that has something to do. */
async function announced(
  { id, node, images: have }: ImportTarget & { readonly id: string },
  images: readonly WantedImage[],
  ctx: Context,
  work: () => Promise<NodeImport>,
): Promise<NodeImport> {
  const { tags, send } = planImport(images, have)
  if (tags.length + send.length === 0) return work()
  const many = tags.length + send.length
  const step = {
    machine: id,
    step: `${node}/images`,
    message: `import ${many} ${many === 1 ? 'image' : 'images'}`,
  }
  ctx.events.emit({ level: 'info', code: 'step.start', ...step })
  const result = await work()
  const { error } = result
  if (error) {
    const data = { error: error.message, errorCode: error.code }
    ctx.events.emit({ level: 'error', code: 'step.failed', ...step, data })
  } else ctx.events.emit({ level: 'info', code: 'step.done', ...step })
  return result
}

function outcomeOf(machines: readonly ImportMachine[]): ImportResult['outcome'] {
  const failed = machines.filter((machine) => machine.outcome === 'failed').length
  if (failed > 0) return failed === machines.length ? 'failed' : 'partial'
  return machines.every((machine) => machine.outcome === 'unchanged') ? 'unchanged' : 'done'
}

function describeImages(
  chosen: ReadonlyMap<Arch, readonly WantedImage[]>,
  settled: readonly EngineSource[],
): ImportedImage[] {
  const images = [...chosen].flatMap(([arch, all]) =>
    all.flatMap(({ names, id }) => names.map((name) => ({ name, arch, id }))),
  )
  return [...settled.map(({ name, arch, id }) => ({ name, arch, id })), ...images]
}

function describe(error: AirliftError): ImportError {
  const { code, message, hint = null } = toAirliftError(error)
  return { code, message, hint }
}
