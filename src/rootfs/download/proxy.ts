type Env = Readonly<Record<string, string | undefined>>

/**
 * The proxy for a URL, from HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY in either case, as curl reads them. HTTP_PROXY in
 * capitals counts too, since a command line is not a CGI program.
 */
export function proxyFor(url: URL, env: Env): URL | undefined {
  const read = (name: string): string | undefined => env[name.toLowerCase()] || env[name] || undefined
  if (isExcluded(url, read('NO_PROXY') ?? '')) return undefined
  const text = read(url.protocol === 'https:' ? 'HTTPS_PROXY' : 'HTTP_PROXY') ?? read('ALL_PROXY')
  if (text === undefined) return undefined
  const proxy = new URL(text.includes('://') ? text : `http://${text}`)
  return proxy.protocol === 'http:' || proxy.protocol === 'https:' ? proxy : undefined
}

function isExcluded(url: URL, list: string): boolean {
  const host = url.hostname.toLowerCase()
  const port = url.port || (url.protocol === 'https:' ? '443' : '80')
  return list
    .split(/[\s,]+/)
    .filter(Boolean)
    .some((item) => {
      const [, name = '', wanted] = /^(.*?)(?::(\d+))?$/.exec(item.toLowerCase()) ?? []
      if (wanted !== undefined && wanted !== port) return false
      const bare = name.replace(/^\*?\./, '')
      return name === '*' || host === bare || (bare !== '' && host.endsWith(`.${bare}`))
    })
}

/** The header that logs in at a proxy, where its URL holds a user. */
export function proxyHeaders(proxy: URL): Record<string, string> {
  return loginHeader('proxy-authorization', proxy)
}

/** The header of that name which logs in as the user of a URL; none where it holds no user. */
export function loginHeader(name: string, url: URL): Record<string, string> {
  if (url.username === '') return {}
  const login = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`
  return { [name]: `Basic ${Buffer.from(login).toString('base64')}` }
}
