import type { AirliftEvent } from '../../core/events.js'
import { machineLabel } from './machine-label.js'

/** A step that runs now. */
export interface RunningStep {
  readonly title: string
  readonly startedMs: number
  readonly upload?: {
    readonly sentBytes: number
    readonly totalBytes?: number
    readonly bytesPerSecond: number
  }
}

/** What is known of one machine's progress. */
export interface MachineProgress {
  readonly id: string
  readonly label: string
  /** Steps of the plan; undefined while no plan runs. */
  readonly planned: number | undefined
  readonly done: number
  readonly failed: string | undefined
  readonly running: ReadonlyMap<string, RunningStep>
  readonly startedMs: number
  readonly endedMs: number | undefined
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] }
type Entry = Omit<Mutable<MachineProgress>, 'running'> & { readonly running: Map<string, RunningStep> }

/** Progress as it follows from the events; what the live view draws. */
export interface ProgressState {
  readonly machines: ReadonlyMap<string, MachineProgress>
  /** Before there is a plan: connections made, and machines whose facts were read. */
  readonly arrived: { readonly connected: number; readonly looked: number }
  /** Takes an event in. True when what is drawn may have changed. */
  apply(event: AirliftEvent): boolean
}

/** Makes the state of one command. */
export function createProgressState(): ProgressState {
  const machines = new Map<string, Entry>()
  const arrived = { connected: 0, looked: 0 }
  const entry = (id: string, label: string, nowMs: number): Entry => {
    const known = machines.get(id)
    if (known) {
      // The name of the node says more than an address, and comes with the first step.
      if (known.label === machineLabel(id)) known.label = label
      return known
    }
    const fresh: Entry = {
      id,
      label,
      planned: undefined,
      done: 0,
      failed: undefined,
      running: new Map(),
      startedMs: nowMs,
      endedMs: undefined,
    }
    machines.set(id, fresh)
    return fresh
  }
  const apply = (event: AirliftEvent): boolean => {
    const nowMs = Date.parse(event.time)
    if (event.code === 'plan.start') {
      machines.clear()
      const counts = event.data?.machines
      if (typeof counts !== 'object' || counts === null) return false
      for (const [id, planned] of Object.entries(counts))
        entry(id, machineLabel(id), nowMs).planned = Number(planned)
      // Nothing has begun yet: the first step follows at once.
      return false
    }
    if (machines.size === 0 && event.code === 'machine.connected') arrived.connected += 1
    else if (machines.size === 0 && event.code === 'facts.collected') arrived.looked += 1
    if (event.machine === undefined || event.step === undefined) {
      return /^(machine\.connected|facts\.collected)$/.test(event.code)
    }
    const machine = entry(event.machine, stepLabel(event), nowMs)
    return applyStep(machine, event, event.step, nowMs)
  }
  return { machines, arrived, apply }
}

/** Whom a step is about, for people: the node, else the machine. */
export function stepLabel(event: Pick<AirliftEvent, 'machine' | 'step'>): string {
  const node = event.step === undefined ? undefined : nodeOfStep(event.step)
  return node ?? (event.machine === undefined ? '' : machineLabel(event.machine))
}

/** The node's name is the first part of a step's id: `bare1/install`. Steps of the whole cluster have none: `cluster/answers`. */
export function nodeOfStep(id: string): string | undefined {
  const slash = id.indexOf('/')
  const name = slash > 0 ? id.slice(0, slash) : undefined
  return name === 'cluster' ? undefined : name
}

function applyStep(machine: Entry, event: AirliftEvent, step: string, nowMs: number): boolean {
  switch (event.code) {
    case 'step.start':
      machine.running.set(step, { title: event.message, startedMs: nowMs })
      machine.endedMs = undefined
      return true
    case 'step.done':
      machine.running.delete(step)
      machine.done += 1
      machine.endedMs = nowMs
      return true
    case 'step.failed':
      machine.running.delete(step)
      machine.failed ??= String(event.data?.error ?? event.message)
      machine.endedMs = nowMs
      return true
    case 'step.skipped':
      machine.running.delete(step)
      machine.endedMs = nowMs
      return true
    case 'upload.progress':
      return applyUpload(machine, event, step, nowMs)
    default:
      return false
  }
}

function applyUpload(machine: Entry, event: AirliftEvent, step: string, nowMs: number): boolean {
  const running = machine.running.get(step)
  const sentBytes = Number(event.data?.sentBytes)
  if (!running || !Number.isFinite(sentBytes)) return false
  const seconds = Math.max(0.001, (nowMs - running.startedMs) / 1000)
  const totalBytes = Number(event.data?.totalBytes)
  machine.running.set(step, {
    ...running,
    upload: {
      sentBytes,
      bytesPerSecond: sentBytes / seconds,
      ...(totalBytes > 0 ? { totalBytes } : {}),
    },
  })
  return true
}
