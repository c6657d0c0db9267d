/**
 * A URL as it may be printed, logged and kept: without its user, its password, and the question, which may hold a token.
 * What is no URL is given back without what looks like a login.
 */
export function shownUrl(url: URL | string): string {
  if (typeof url === 'string' && !URL.canParse(url)) return url.replace(/\/\/[^/@]*@/, '//')
  const clean = new URL(url)
  clean.username = ''
  clean.password = ''
  clean.search = ''
  return clean.href
}
