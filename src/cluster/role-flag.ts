import type { Role } from './spec.js'

/** The flag that names nodes of a role. */
export function flagOf(role: Role): '--masters' | '--nodes' {
  return role === 'master' ? '--masters' : '--nodes'
}
