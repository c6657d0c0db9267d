import type { SshOptions } from './spec.js'

/** How machines are reached where no flag says anything. */
export const plainSsh: SshOptions = {
  identities: [],
  askPass: false,
  askSudoPass: false,
  sudo: 'auto',
  transport: 'auto',
}
