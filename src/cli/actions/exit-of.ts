/** The exit code of what was done on several machines: 0 on all, 3 on some, 1 on none. */
export function exitOf(outcome: 'done' | 'partial' | 'failed'): number {
  return { done: 0, partial: 3, failed: 1 }[outcome]
}
