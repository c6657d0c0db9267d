import { isIP } from 'node:net'
import type { OptionProblem } from './option-problem.js'

/** The address of a resolver of `--dns`; IPv6 with or without brackets. */
export function parseDns(text: string): string | OptionProblem {
  const address = text.trim().replace(/^\[(.*)\]$/, '$1')
  if (isIP(address) === 0)
    return {
      message: `"${text}" is not an IP address`,
      hint: 'write --dns 10.0.0.53; names resolve nothing here',
    }
  if (/^127\.|^::1$/.test(address)) {
    return {
      message: `"${text}" is the loopback of each container, and not of the computer`,
      hint: 'give an address that containers reach',
    }
  }
  return address
}
