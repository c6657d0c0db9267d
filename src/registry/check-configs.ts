import type { Node } from 'yaml'
import { checkRegistryHost } from './host-name.js'
import type { RegistriesReader } from './reader.js'
import type { HostConfig, Placed, RegistryTls } from './types.js'

const AUTH_KEYS = ['username', 'password', 'auth', 'identity_token'] as const

/** Checks `configs`, and the old `auths`, whose entries become part of the configs of their hosts. */
export function checkConfigs(
  node: Node | null | undefined,
  auths: Node | null | undefined,
  reader: RegistriesReader,
): Map<string, HostConfig> {
  const configs = new Map<string, HostConfig>()
  for (const [host, value] of reader.map(node, 'configs')) {
    const where = `configs.${host}`
    const wrong = checkRegistryHost(host)
    if (wrong) reader.refuse(value ?? node, 'configs', wrong.message, wrong.hint)
    const entries = reader.map(value, where, ['auth', 'tls'])
    const auth = readAuth(entries.get('auth'), `${where}.auth`, reader)
    const tls = readTls(entries.get('tls'), `${where}.tls`, reader)
    configs.set(host, { ...(auth ? { auth } : {}), ...(tls ? { tls } : {}), node: value ?? (node as Node) })
  }
  for (const [url, value] of reader.map(auths, 'auths')) {
    const host = url.replace(/^https?:\/\//, '').replace(/\/.*$/, '')
    const wrong = checkRegistryHost(host)
    if (wrong) reader.refuse(value ?? auths, 'auths', wrong.message, wrong.hint)
    reader.warn(value ?? auths, `"auths" is the old form; "${host}" is taken as configs."${host}".auth`)
    const auth = readAuth(value, `auths.${host}`, reader)
    const before = configs.get(host)
    if (before?.auth)
      reader.refuse(value, `auths.${host}`, 'is set under configs too', 'keep the one under configs')
    else if (auth) configs.set(host, { ...before, auth, node: value as Node })
  }
  return configs
}

function readAuth(
  node: Node | null | undefined,
  where: string,
  reader: RegistriesReader,
): Record<string, string> | undefined {
  if (node === undefined || node === null) return undefined
  const entries = reader.map(node, where, AUTH_KEYS)
  const auth: Record<string, string> = {}
  for (const [key, value] of entries) {
    const text = reader.text(value, `${where}.${key}`)
    if (text === '') reader.refuse(value, `${where}.${key}`, 'is empty', 'give it, or leave the key out')
    else if (text !== undefined) auth[key] = text
  }
  if ('username' in auth !== 'password' in auth) {
    const missing = 'username' in auth ? 'password' : 'username'
    if (!entries.has(missing)) reader.refuse(node, where, `has no ${missing}`, 'give username and password')
  }
  if (auth.auth !== undefined && !/^[^:]+:/.test(decode(auth.auth))) {
    reader.refuse(
      entries.get('auth'),
      `${where}.auth`,
      'is not base64 of user:password',
      'use username and password instead',
    )
  }
  const ways = ['username', 'auth', 'identity_token'].filter((key) => key in auth)
  if (ways.length > 1) reader.warn(node, `${where} has ${ways.join(' and ')}; one of them is used`)
  return Object.keys(auth).length > 0 ? auth : undefined
}

function decode(text: string): string {
  return /^[A-Za-z0-9+/]+={0,2}$/.test(text) ? Buffer.from(text, 'base64').toString('utf8') : ''
}

function readTls(
  node: Node | null | undefined,
  where: string,
  reader: RegistriesReader,
): RegistryTls | undefined {
  if (node === undefined || node === null) return undefined
  const entries = reader.map(node, where, ['ca_file', 'cert_file', 'key_file', 'insecure_skip_verify'])
  const file = (key: string): Placed | undefined => {
    const value = entries.get(key)
    if (value === undefined) return undefined
    const text = reader.text(value, `${where}.${key}`)
    if (text === '') reader.refuse(value, `${where}.${key}`, 'is empty', 'name a file, or leave the key out')
    return text && value ? { value: text, node: value } : undefined
  }
  const [ca, cert, key] = [file('ca_file'), file('cert_file'), file('key_file')]
  if (entries.has('cert_file') !== entries.has('key_file')) {
    const [has, lacks] = entries.has('cert_file') ? ['cert_file', 'key_file'] : ['key_file', 'cert_file']
    reader.refuse(node, where, `has ${has} but no ${lacks}`, 'a client certificate needs both')
  }
  const insecure = readBoolean(entries.get('insecure_skip_verify'), `${where}.insecure_skip_verify`, reader)
  if (insecure && ca) reader.warn(node, `${where} does not verify the certificate, so ca_file has no effect`)
  return {
    ...(ca ? { ca_file: ca } : {}),
    ...(cert ? { cert_file: cert } : {}),
    ...(key ? { key_file: key } : {}),
    ...(insecure === undefined ? {} : { insecure }),
    node,
  }
}

function readBoolean(
  node: Node | null | undefined,
  where: string,
  reader: RegistriesReader,
): boolean | undefined {
  if (node === undefined) return undefined
  const text = reader.text(node, where)
  if (text === undefined) return undefined
  if (/^(true|yes|on)$/i.test(text)) return true
  if (!/^(false|no|off)$/i.test(text))
    reader.refuse(node, where, `"${text}" is not true or false`, 'write true or false')
  return false
}
