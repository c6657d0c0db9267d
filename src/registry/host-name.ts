import { isIPv6 } from 'node:net'

const HOST = /^(?:[A-Za-z0-9](?:[A-Za-z0-9_.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])(?::(\d{1,5}))?$/

/** Why a text is not `host[:port]` or `*`; undefined when it is. */
export function checkRegistryHost(text: string): { message: string; hint: string } | undefined {
  if (text === '*') return undefined
  const scheme = /^(\w+):\/\//.exec(text)
  if (scheme)
    return {
      message: `"${text}" begins with ${scheme[0]}`,
      hint: `write the host only: ${text.slice(scheme[0].length).split('/')[0]}`,
    }
  if (text.includes('/'))
    return { message: `"${text}" has a path`, hint: `write the host only: ${text.split('/')[0]}` }
  const match = HOST.exec(text)
  const port = match?.[1] === undefined ? 1 : Number(match[1])
  const v6 = /^\[(.*)\]/.exec(text)?.[1]
  if (!match || port < 1 || port > 65535 || (v6 !== undefined && !isIPv6(v6))) {
    return {
      message: `"${text}" is not host or host:port`,
      hint: 'write it as in image names, such as docker.io or reg.lan:5000',
    }
  }
  return undefined
}
