const SCHEME = 'docker://'

/** The id of a container's machine. */
export function containerId(name: string): string {
  return `${SCHEME}${name}`
}

/** The container of a machine's id; undefined for a machine that is none. */
export function containerOfMachine(id: string): string | undefined {
  return id.startsWith(SCHEME) ? id.slice(SCHEME.length) : undefined
}
