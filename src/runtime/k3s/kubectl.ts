import { K3S } from './paths.js'

/** A call of k3s' own kubectl, as the admin; given up after so many seconds. */
export const kubectl = (rest: string, seconds = 10): string =>
  `timeout ${seconds} ${K3S.binary} kubectl ${rest}`
