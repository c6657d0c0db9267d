/** The host in a machine's id, as ssh resolved it: `ssh://root@[fd00::1]:22` gives `fd00::1`. Undefined for other kinds. */
export function machineHost(id: string): string | undefined {
  return /^ssh:\/\/(?:[^@]*@)?(\[[^\]]+\]|[^:/]+)/.exec(id)?.[1]?.replace(/^\[|\]$/g, '')
}
