import type { EngineAction } from './engine-action.js'

/**
 * A plan is data: it can be printed, compared and executed later. Secrets appear in it only by name, as
 * `{{secret:NAME}}` inside texts; the interpreter fills them in on the way to the machine.
 */
export interface Plan {
  readonly operation: string
  /** The cluster's name. */
  readonly name: string
  readonly runtime: string
  readonly steps: readonly Step[]
  readonly summary: { readonly create: number; readonly change: number; readonly remove: number }
}

/** One step on one machine. Its actions run in order; steps without a path of `needs` between them run at the same time. */
export interface Step {
  /** Unique in the plan: `bare1/install`. */
  readonly id: string
  /** The machine's id. */
  readonly machine: string
  /** Id of the machine that it is about, where it runs on another one; reports count it there. */
  readonly subject?: string
  /** For people, present tense: `install k3s v1.33.1+k3s1 as master`. */
  readonly title: string
  /** Ids of steps that must be done before. */
  readonly needs: readonly string[]
  /**
   * Ids of steps that it hurries along and that can do without it: it is ended with the last of them, and a failure of its own
   * is none of the plan.
   */
  readonly assists?: readonly string[]
  /** Which sliding window it waits for; the limits are those of the context. */
  readonly window?: 'upload' | 'join' | 'drain'
  readonly actions: readonly Action[]
  /** What the step does to the machine; the summary counts it. Absent: it only looks or waits. */
  readonly effect?: 'create' | 'change' | 'remove'
  /** False: leave no line in the machine's journal (a step that removes the journal itself). Default true. */
  readonly journal?: boolean
}

/** A blob that a machine lacks. */
export interface StageBlob {
  readonly sha256: string
  readonly sizeBytes: number
  /** Path in the rootfs; for people. */
  readonly name: string
}

/** What the Kubernetes API can be asked about one node. */
export interface ApiQuestion {
  /** `joinable`: its supervisor takes nodes in. `ready`: its API server is ready. `node`: conditions of the Node hold. */
  readonly of: 'joinable' | 'ready' | 'node'
  readonly node: string
  readonly role: 'master' | 'worker'
  /** Of `node`. Default: Ready. */
  readonly conditions?: readonly string[]
}

/** What a step does. Neighbouring actions other than `stage` travel together, in one round trip. */
export type Action =
  /** Puts missing blobs into the machine's store. */
  | { readonly kind: 'stage'; readonly blobs: readonly StageBlob[] }
  /** Links a blob of the store to a path (hard link; a copy where the file systems differ). Replaces by rename. */
  | { readonly kind: 'link'; readonly sha256: string; readonly path: string; readonly mode: string }
  /** Writes a small file: temporary file, digest, rename. `content` may hold `{{secret:NAME}}`. */
  | {
      readonly kind: 'write'
      readonly path: string
      readonly mode: string
      readonly content: string
      readonly base64?: boolean
    }
  /** Removes files or directories; never crosses a mount point. */
  | { readonly kind: 'remove'; readonly paths: readonly string[] }
  /** Runs POSIX sh. `{{secret:NAME}}` is filled in, quoted. */
  | { readonly kind: 'script'; readonly script: string; readonly timeoutMs?: number }
  /** Installs, starts, restarts or stops a service; never waits for its readiness. */
  | {
      readonly kind: 'service'
      readonly unit: string
      readonly op: 'enable' | 'start' | 'restart' | 'stop' | 'disable'
      readonly init: 'systemd' | 'openrc'
    }
  /**
   * Polls on the machine until the script exits 0. Exit 10 or above is final: the last line that it printed says why.
   * When time is up, it runs once more with `late=yes`, and the `@@fail` and `@@hint` of a cause that it then knows become part of
   * the error; what `diagnose` prints becomes the error's log.
   */
  | {
      readonly kind: 'wait'
      /** For people, after "waiting for": `the API server of bare1`. */
      readonly what: string
      readonly script: string
      /** Runs once, before the first poll; what it prints is `$before` in the script: how things stood then. */
      readonly before?: string
      readonly timeoutMs: number
      readonly diagnose: string
      /** Runs at most once, as soon as its condition holds; then the wait goes on with a fresh deadline. */
      readonly recover?: { readonly when: string; readonly script: string; readonly title: string }
      /** The same question for those who can ask the API from outside the machine, which costs the machine less. */
      readonly ask?: ApiQuestion
    }
  /** Runs a script and keeps its stdout as a secret under the name, for later steps. */
  | { readonly kind: 'capture'; readonly secret: string; readonly script: string }
  | EngineAction

/** Counts steps by what they do to machines. */
export function summarize(steps: readonly Step[]): Plan['summary'] {
  const summary = { create: 0, change: 0, remove: 0 }
  for (const step of steps) if (step.effect) summary[step.effect] += 1
  return summary
}

/**
 * Joins plans into one; their pipelines then overlap. The first one gives operation, name and runtime. A step that several
 * of them have, such as a network that all nodes need, is in it once.
 */
export function mergePlans(first: Plan, ...others: readonly Plan[]): Plan {
  const all = [first, ...others].flatMap((plan) => plan.steps)
  const steps = [...new Map(all.map((step) => [step.id, step])).values()]
  return { ...first, steps, summary: summarize(steps) }
}
