import { isIP } from 'node:net'
import type { ContainerSpec } from '../container-spec.js'
import type { LocalFacts } from '../spec-io.js'
import type { OptionProblem } from './option-problem.js'

/** Where the API is published. */
export type ApiPort = ContainerSpec['api']

const HINT =
  'write [HOST:]PORT, such as 6550, 0.0.0.0:6550, [::1]:6550 or dev.lan:6550; random chooses a free port'
const NAME = /^(?=.{1,253}$)[A-Za-z0-9](?:[-\w]{0,62})(?:\.[A-Za-z0-9](?:[-\w]{0,62}))*$/

/**
 * Reads `--api-port [HOST:]PORT`. Without HOST it is 127.0.0.1, so that nobody else on the network reaches the API. A name is
 * resolved to the address to bind, and goes into the kubeconfig and the certificate itself. `random` and 0 choose a free port.
 */
export async function parseApiPort(
  text: string,
  local: Pick<LocalFacts, 'lookup'>,
): Promise<ApiPort | OptionProblem> {
  const colon = text.lastIndexOf(':')
  const portText = text.slice(colon + 1)
  const host = colon < 0 ? '' : text.slice(0, colon).replace(/^\[(.*)\]$/, '$1')
  const port = portText === 'random' ? 0 : Number(portText)
  if (colon === 0 || (isIP(text) === 6 && !text.startsWith('[')))
    return { message: `"${text}" is not [HOST:]PORT`, hint: HINT }
  if (!/^(?:\d{1,5}|random)$/.test(portText) || port > 65535) {
    return { message: `"${portText}" is not a port, in "${text}"`, hint: HINT }
  }
  const chosen = port === 0 ? {} : { port }
  if (host === '') return { address: '127.0.0.1', ...chosen }
  if (isIP(host) !== 0) {
    // All addresses are none to connect to: the engine's own host goes into the kubeconfig.
    const all = host === '0.0.0.0' || /^[0:]+$/.test(host)
    return { ...(all ? {} : { host }), address: host, ...chosen }
  }
  if (!NAME.test(host))
    return { message: `"${host}" is not a host name or address, in "${text}"`, hint: HINT }
  if (host === 'localhost') return { host, address: '127.0.0.1', ...chosen }
  const address = await local.lookup(host)
  if (address === undefined) {
    return {
      message: `"${host}" of --api-port has no address here`,
      hint: 'name an address, or a host that this computer finds',
    }
  }
  return { host, address, ...chosen }
}
