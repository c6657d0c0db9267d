/** Something that a dead run left. */
export interface Leftover {
  readonly kind: 'container' | 'network' | 'volume' | 'image' | 'record' | 'file'
  /** Its name, or its path. */
  readonly name: string
  /** The cluster that it was for, where it was for one. */
  readonly cluster: string | null
  /** Why it is not needed. */
  readonly reason: string
}

/** Something that looks left behind and may not be. */
export interface Kept {
  readonly kind: Leftover['kind']
  readonly name: string
  readonly reason: string
}
