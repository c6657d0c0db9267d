import type { EngineContainer } from './engine.js'

/** Whether a container ran at any time; the engine gives the year 1 to one that did not. */
export function wasStarted(container: EngineContainer): boolean {
  return container.state === 'running' || !/^(0001-|$)/.test(container.startedAt)
}
