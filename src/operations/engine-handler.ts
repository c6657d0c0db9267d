import pLimit from 'p-limit'
import { LABELS } from '../cluster/container-labels.js'
import type { Context } from '../core/context.js'
import { AirliftError, isAirliftError } from '../core/errors.js'
import { unlessAborted } from '../core/unless-aborted.js'
import type { ContainerConfig, Engine } from '../machine/docker/engine.js'
import type { EngineAction, EngineHandler } from '../plan/engine-action.js'
import type { Rootfs } from '../rootfs/manifest.js'
import { refuseMaker } from './being-made.js'
import { makerLabels } from './maker.js'

/** Containers that are started at once: more make an engine slower, not quicker. */
const STARTS = 6

type HandlerOptions = Parameters<EngineHandler>[1]

/**
 * Carries out what plans ask of a container engine. Every action can be repeated.
 *
 * @param onSent - told the payload that was sent to the engine, in bytes
 */
export function engineHandler(
  engine: Engine,
  rootfs: Rootfs | undefined,
  ctx: Context,
  onSent: (bytes: number) => void = () => {},
): EngineHandler {
  const starts = pLimit(STARTS)
  return async (action, options) => {
    switch (action.kind) {
      case 'network':
        return action.op === 'create' ? createNetwork(engine, action, ctx) : removeNetwork(engine, action)
      case 'volume':
        return action.op === 'create' ? createVolume(engine, action, ctx) : engine.removeVolume(action.name)
      case 'image':
        return imageAction(engine, action, rootfs, options, ctx, onSent)
      case 'container':
        if (action.op === 'create') return createContainer(engine, action, options, ctx, onSent)
        // Before: what was begun and not ended is then found by its policy.
        if ('restart' in action && action.restart) await engine.setRestart(action.name, action.restart)
        if (action.op === 'policy') return
        if (action.op === 'start') return starts(() => engine.startContainer(action.name))
        if (action.op === 'attach') return engine.attach(action.network, action.name, action)
        if (action.op === 'rename') return renameContainer(engine, action.name, action.to)
        if (action.op === 'stop') return engine.stopContainer(action.name, action.timeoutSeconds ?? 10)
        if (action.op === 'restart')
          return starts(() => engine.restartContainer(action.name, action.timeoutSeconds ?? 10))
        return engine.removeContainer(action.name, { force: true })
    }
  }
}

type Create<K extends EngineAction['kind']> = Extract<EngineAction, { kind: K; op: 'create' }>

async function createNetwork(engine: Engine, action: Create<'network'>, ctx: Context): Promise<void> {
  const found = await engine.network(action.name)
  if (!found) return engine.createNetwork({ ...action, labels: { ...action.labels, ...makerLabels(ctx) } })
  if (found.labels[LABELS.cluster] !== action.labels[LABELS.cluster])
    throw taken('network', action.name, 'docker network rm')
}

/**
 * An engine gives the volume that is there, with the labels of whoever made it: of two commands that make a cluster of one
 * name at the same moment, one finds its own name there. It is the first thing that is made.
 */
async function createVolume(engine: Engine, action: Create<'volume'>, ctx: Context): Promise<void> {
  const labels = await engine.createVolume(action.name, { ...action.labels, ...makerLabels(ctx) })
  refuseMaker(action.labels[LABELS.cluster] ?? '', labels, ctx)
}

async function removeNetwork(
  engine: Engine,
  { name, detach }: Extract<EngineAction, { kind: 'network'; op: 'remove' }>,
): Promise<void> {
  if (!detach) return engine.removeNetwork(name)
  // One that is just ending, or that an engine keeps on it, leaves it with its removal.
  await Promise.allSettled(detach.map((container) => engine.detach(name, container)))
  try {
    await engine.removeNetwork(name)
  } catch (error) {
    if (!isAirliftError(error) || error.code !== 'E_ENGINE_CONFLICT') throw error
  }
}

/** One that is there and does not run gets its files once more: the run that made it may have died before. */
async function createContainer(
  engine: Engine,
  { config, files }: Create<'container'>,
  { fill }: HandlerOptions,
  ctx: Context,
  onSent: (bytes: number) => void,
): Promise<void> {
  // Loaded while the engine is asked: only this needs it.
  const loading = import('../rootfs/tar/pack-entries.js')
  const found = await engine.container(config.name)
  if (found && found.labels[LABELS.cluster] !== config.labels[LABELS.cluster])
    throw taken('container', config.name, 'docker rm')
  if (found?.state === 'running') return
  if (!found) await engine.createContainer(filled(config, fill, ctx))
  else if (found.restart === 'no' && config.restart === 'always')
    await engine.setRestart(config.name, 'always')
  const { packEntries } = await loading
  const archive = packEntries(files, fill)
  await engine.putArchive(config.name, '/', archive)
  onSent(archive.length)
}

/** Done already where only the new name is there. */
async function renameContainer(engine: Engine, name: string, to: string): Promise<void> {
  if (!(await engine.container(name)) && (await engine.container(to))) return
  await engine.renameContainer(name, to)
}

/** Values that may be secret are filled in here, on the way to the engine. */
function filled(config: ContainerConfig, fill: (text: string) => string, ctx: Context): ContainerConfig {
  return {
    ...config,
    command: config.command.map(fill),
    env: Object.fromEntries(Object.entries(config.env).map(([key, value]) => [key, fill(value)])),
    labels: { ...config.labels, ...makerLabels(ctx) },
  }
}

async function imageAction(
  engine: Engine,
  action: Extract<EngineAction, { kind: 'image' }>,
  rootfs: Rootfs | undefined,
  options: HandlerOptions,
  ctx: Context,
  onSent: (bytes: number) => void,
): Promise<void> {
  if (action.op === 'pull') {
    const say = (line: string): void =>
      ctx.events.emit({ level: 'debug', code: 'image.pull', message: line, data: { ref: action.ref } })
    // The engine goes on with a pull by itself, which does no harm.
    return unlessAborted(engine.pullImage(action.ref, say), options.signal)
  }
  if (!rootfs) throw new AirliftError('E_INTERNAL', `no rootfs is there to ${action.op} from`)
  if (action.op === 'fill') {
    let sent = 0
    const onProgress = (bytes: number, total: number): void => {
      sent = bytes
      options.onProgress(bytes, total)
    }
    const { fillVolume } = await import('../rootfs/fill-volume.js')
    const request = { ...action, labels: { ...action.labels, ...makerLabels(ctx) } }
    await fillVolume(engine, request, rootfs, { signal: options.signal, onProgress })
    return onSent(sent)
  }
  const { binaryOf, buildNodeImage } = await import('../rootfs/node-image.js')
  const binary = binaryOf(rootfs, action.arch)
  await buildNodeImage(
    engine,
    {
      ref: action.ref,
      arch: action.arch,
      version: rootfs.manifest.version,
      binary: () => rootfs.openBlob(binary.sha256),
      sizeBytes: binary.size,
      sha256: binary.sha256,
      labels: makerLabels(ctx),
    },
    ctx,
  )
  onSent(binary.size)
}

function taken(what: string, name: string, remedy: string): AirliftError {
  return new AirliftError(
    'E_ENGINE_CONFLICT',
    `a ${what} "${name}" is there that airlift did not make for this cluster`,
    {
      hint: `choose another --name, or remove it: ${remedy} ${name}`,
    },
  )
}
