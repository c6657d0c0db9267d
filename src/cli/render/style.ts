import pc from 'picocolors'

/** Colours and marks of one stream. */
export interface Style {
  readonly bold: (text: string) => string
  readonly dim: (text: string) => string
  readonly green: (text: string) => string
  readonly red: (text: string) => string
  readonly yellow: (text: string) => string
}

type Env = Readonly<Record<string, string | undefined>>

/** Colours for a terminal; none for a pipe, with NO_COLOR, TERM=dumb or CI. FORCE_COLOR wins over all but NO_COLOR. */
export function styleFor(stream: { readonly isTTY?: boolean }, env: Env): Style {
  const { bold, dim, green, red, yellow } = pc.createColors(wantsColor(stream, env))
  return { bold, dim, green, red, yellow }
}

function wantsColor(stream: { readonly isTTY?: boolean }, env: Env): boolean {
  if (env.NO_COLOR) return false
  if (env.FORCE_COLOR && env.FORCE_COLOR !== '0') return true
  return stream.isTTY === true && env.TERM !== 'dumb' && !env.CI
}

/** No colours; for tests and pipes. */
export const plainStyle: Style = styleFor({}, { NO_COLOR: '1' })
