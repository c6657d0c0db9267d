import { isIPv4 } from 'node:net'

/** Why a host pattern cannot be expanded. `at` is the 0-based offset in the pattern. */
export interface RangeProblem {
  readonly message: string
  readonly at: number
}

/** A pattern that stands for `size` hosts; `expand` makes them, and is only to be called when the size is acceptable. */
export interface HostPattern {
  readonly size: number
  expand(): string[]
}

/** One alternative between brackets: numbers from `from` to `to`, padded with zeros to `width`. */
interface Span {
  readonly from: number
  readonly to: number
  readonly width: number
}

// Fifteen digits are below 2^53, so sizes stay exact numbers.
const DIGITS = /^\d{1,15}$/
const RANGE_V4 = /^(\d+\.\d+\.\d+\.\d+)-(\d+\.\d+\.\d+\.\d+|\d+)$/

/**
 * Understands the ranges of a host: `10.0.0.[1-9]`, `host[01-12].lan`, `r[1-2]n[1,3-5]`, `10.0.0.1-10.0.0.9` and
 * `10.0.0.1-9`. The size is computed without making the list, so a range of millions costs nothing.
 */
export function parseHostPattern(text: string): HostPattern | RangeProblem {
  const range = RANGE_V4.exec(text)
  if (range) return parseAddressRange(range[1] ?? '', range[2] ?? '')
  const parts: (string | Span[])[] = []
  let size = 1
  let rest = 0
  while (rest < text.length) {
    const open = text.indexOf('[', rest)
    if (open < 0) break
    const close = text.indexOf(']', open)
    if (close < 0) return { message: 'the bracket is not closed', at: open }
    const spans = parseSpans(text.slice(open + 1, close), open + 1)
    if (!Array.isArray(spans)) return spans
    parts.push(text.slice(rest, open), spans)
    size *= spans.reduce((sum, span) => sum + span.to - span.from + 1, 0)
    rest = close + 1
  }
  const stray = text.indexOf(']', rest)
  if (stray >= 0) return { message: 'a bracket is closed that was not opened', at: stray }
  parts.push(text.slice(rest))
  return { size, expand: () => expandParts(parts) }
}

function parseSpans(text: string, offset: number): Span[] | RangeProblem {
  const spans: Span[] = []
  let at = offset
  for (const piece of text.split(',')) {
    const [from = '', to = from, ...more] = piece.split('-')
    if (!DIGITS.test(from) || !DIGITS.test(to) || more.length > 0) {
      return { message: `"[${text}]" is not a range of numbers`, at }
    }
    if (Number(from) > Number(to)) return { message: `the range "${piece}" runs backwards`, at }
    // "01-12" asks for two digits, "1-12" for none; the first number decides.
    const width = from.startsWith('0') ? from.length : 1
    spans.push({ from: Number(from), to: Number(to), width })
    at += piece.length + 1
  }
  return spans
}

function expandParts(parts: readonly (string | Span[])[]): string[] {
  let hosts = ['']
  for (const part of parts) {
    if (typeof part === 'string') {
      hosts = hosts.map((host) => host + part)
      continue
    }
    const numbers = part.flatMap(({ from, to, width }) =>
      Array.from({ length: to - from + 1 }, (_, index) => String(from + index).padStart(width, '0')),
    )
    hosts = hosts.flatMap((host) => numbers.map((number) => host + number))
  }
  return hosts
}

function parseAddressRange(from: string, to: string): HostPattern | RangeProblem {
  const at = from.length + 1
  if (!isIPv4(from)) return { message: `"${from}" is not an IPv4 address`, at: 0 }
  const last = to.includes('.') ? to : from.replace(/\d+$/, to)
  if (!isIPv4(last)) return { message: `"${to}" is not the end of a range of IPv4 addresses`, at }
  const start = addressNumber(from)
  const end = addressNumber(last)
  if (end < start) return { message: `the range "${from}-${to}" runs backwards`, at }
  return {
    size: end - start + 1,
    expand: () => Array.from({ length: end - start + 1 }, (_, index) => addressText(start + index)),
  }
}

function addressNumber(address: string): number {
  return address.split('.').reduce((sum, byte) => sum * 256 + Number(byte), 0)
}

function addressText(value: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(value / 2 ** shift) % 256).join('.')
}
