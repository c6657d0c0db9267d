/** A word that no shell changes. */
const PLAIN = /^[A-Za-z0-9_@%+=:,./-]+$/

/** Quotes one word for POSIX sh. The empty string becomes `''`. @throws RangeError on a NUL byte */
export function quote(word: string): string {
  if (word.includes('\0')) throw new RangeError('a shell word cannot hold a NUL byte')
  if (PLAIN.test(word)) return word
  return `'${word.replaceAll("'", `'\\''`)}'`
}

/** Quotes each word and joins them with spaces. */
export function quoteAll(words: readonly string[]): string {
  return words.map(quote).join(' ')
}
