/** How much an event matters to a person: `debug` is shown with -v, `trace` with -vv. */
export type EventLevel = 'error' | 'warn' | 'info' | 'debug' | 'trace'

/** One thing that happened. `code` and `data` are stable; `message` is for people. Holds no secrets. */
export interface AirliftEvent {
  /** ISO time. */
  readonly time: string
  readonly level: EventLevel
  /** Dotted name, such as `step.start`, `step.done`, `upload.progress`, `machine.connected`. */
  readonly code: string
  readonly message: string
  readonly machine?: string
  /** The step that it belongs to. */
  readonly step?: string
  readonly data?: Readonly<Record<string, unknown>>
}

/** What a caller gives; the stream adds the time. */
export type EventInput = Omit<AirliftEvent, 'time'>

/** The one stream of events that feeds the terminal and NDJSON alike. */
export interface Events {
  emit(event: EventInput): void
}

/** An event stream that calls each listener in order. A listener that throws is the caller's bug and is not caught. */
export function createEvents(
  listeners: readonly ((event: AirliftEvent) => void)[],
  now: () => Date = () => new Date(),
): Events {
  return {
    emit(event) {
      const stamped: AirliftEvent = { time: now().toISOString(), ...event }
      for (const listener of listeners) listener(stamped)
    },
  }
}

/** Drops everything; for library callers that do not watch. */
export const silentEvents: Events = { emit() {} }
