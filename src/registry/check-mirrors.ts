import type { Node } from 'yaml'
import { checkRewrite } from './check-rewrite.js'
import { checkRegistryHost } from './host-name.js'
import type { RegistriesReader } from './reader.js'
import type { Endpoint, Mirror } from './types.js'

/** Checks the `mirrors` of a registries.yaml. An entry without endpoints is right: the embedded registry needs it. */
export function checkMirrors(node: Node | null | undefined, reader: RegistriesReader): Map<string, Mirror> {
  const mirrors = new Map<string, Mirror>()
  for (const [name, value] of reader.map(node, 'mirrors')) {
    const where = `mirrors.${name}`
    const wrong = checkRegistryHost(name)
    if (wrong) reader.refuse(value ?? node, 'mirrors', wrong.message, wrong.hint)
    const entries = reader.map(value, where, ['endpoint', 'rewrite'])
    const endpoints = reader
      .list(entries.get('endpoint'), `${where}.endpoint`)
      .flatMap((item) => readEndpoint(item, `${where}.endpoint`, reader))
    const rewrite = new Map<string, string>()
    for (const [pattern, replacement] of reader.map(entries.get('rewrite'), `${where}.rewrite`)) {
      const text = reader.text(replacement, `${where}.rewrite`)
      if (text === undefined) continue
      const problem = checkRewrite(pattern, text)
      if (problem) reader.refuse(replacement, `${where}.rewrite`, problem.message, problem.hint)
      rewrite.set(pattern, text)
    }
    if (rewrite.size > 0 && endpoints.length === 0 && entries.get('endpoint') === undefined) {
      reader.warn(value, `${where} rewrites, but has no endpoint to which rewriting applies`)
    }
    mirrors.set(name, { endpoints, rewrite })
  }
  return mirrors
}

function readEndpoint(node: Node, where: string, reader: RegistriesReader): Endpoint[] {
  const text = reader.text(node, where)
  if (text === undefined) return []
  const refuse = (message: string, hint: string): Endpoint[] => {
    reader.refuse(node, where, message, hint)
    return []
  }
  const example = 'write a URL such as https://reg.lan:5000 or http://10.0.0.5:5000'
  // k3s takes an endpoint without a scheme for https, except on this very machine.
  const scheme = /^([A-Za-z][A-Za-z0-9+.-]*):\/\//.exec(text)?.[1]?.toLowerCase()
  const url = URL.canParse(scheme ? text : `https://${text}`)
    ? new URL(scheme ? text : `https://${text}`)
    : undefined
  if (url?.username || url?.password) {
    return refuse(
      `the endpoint of ${url.host} has a user or password in it`,
      `put them under configs."${url.host}".auth`,
    )
  }
  if (text.includes('@'))
    return refuse('an endpoint has an @ in it', 'put user and password under configs, auth')
  if (scheme !== undefined && scheme !== 'http' && scheme !== 'https')
    return refuse(`"${text}" is neither http nor https`, example)
  const bare = text.replace(/^\w+:\/\//, '').split(/[/?#]/)[0] ?? ''
  const wrong = checkRegistryHost(bare)
  if (url === undefined || wrong || bare === '*')
    return refuse(`"${text}" is not the URL of a registry`, example)
  if (url.search || url.hash) return refuse(`"${text}" has a query or fragment`, example)
  if (!['', '/', '/v2', '/v2/'].includes(url.pathname) && !/(^|\/)v2(\/|$)/.test(url.pathname)) {
    reader.warn(node, `the path of "${text}" replaces /v2, and has no v2 in it; registries answer below /v2/`)
  }
  const local = /^(localhost|127\.|\[::1\])/.test(bare) && !/:443$/.test(bare)
  const spoken = scheme ?? (local ? 'http' : 'https')
  return [{ text, host: bare, scheme: spoken === 'http' ? 'http' : 'https', node }]
}
