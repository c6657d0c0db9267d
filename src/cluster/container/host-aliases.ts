import { isIP } from 'node:net'
import type { ContainerSpec } from '../container-spec.js'
import type { OptionProblem } from './option-problem.js'

/** One line of /etc/hosts. */
export type HostAlias = ContainerSpec['hostAliases'][number]

const HINT = 'write IP:NAME[,NAME], such as 10.1.2.3:git.lan,registry.lan or [fd00::1]:git.lan'
const NAME = /^(?=.{1,253}$)[A-Za-z0-9](?:[-\w]{0,62})(?:\.[A-Za-z0-9](?:[-\w]{0,62}))*$/

/** Reads `--host-alias IP:NAME[,NAME…]`; IPv6 with or without brackets. */
export function parseHostAlias(text: string): HostAlias | OptionProblem {
  const colon = text.lastIndexOf(':')
  if (colon < 1) return { message: `"${text}" is not an address with names`, hint: HINT }
  const ip = text.slice(0, colon).replace(/^\[(.*)\]$/, '$1')
  if (isIP(ip) === 0) return { message: `"${ip}" is not an IP address`, hint: HINT }
  const names = text
    .slice(colon + 1)
    .split(',')
    .map((name) => name.trim().toLowerCase())
  const wrong = names.find((name) => !NAME.test(name))
  if (wrong !== undefined) return { message: `"${wrong}" is not a host name`, hint: HINT }
  const own = names.find((name) => name === 'localhost' || name === 'host.airlift.internal')
  if (own !== undefined)
    return { message: `the name "${own}" has its address already`, hint: 'choose another name' }
  return { ip, names: [...new Set(names)] }
}

/** A line as `--host-alias` takes it. */
export function hostAliasText({ ip, names }: HostAlias): string {
  return `${ip.includes(':') ? `[${ip}]` : ip}:${names.join(',')}`
}

/** Puts the names of one address together; a name has one address. */
export function mergeHostAliases(aliases: readonly HostAlias[]): HostAlias[] | OptionProblem {
  const byName = new Map<string, string>()
  const byIp = new Map<string, string[]>()
  for (const { ip, names } of aliases) {
    for (const name of names) {
      const before = byName.get(name)
      if (before === ip) continue
      if (before !== undefined) {
        return {
          message: `"${name}" is given the addresses ${before} and ${ip}`,
          hint: 'give each name one address',
        }
      }
      byName.set(name, ip)
      byIp.set(ip, [...(byIp.get(ip) ?? []), name])
    }
  }
  return [...byIp].map(([ip, names]) => ({ ip, names }))
}
