import type { ConfigValue } from './spec.js'

/**
 * Writes a configuration as YAML that YAML 1.1 and 1.2 read alike: keys sorted, every string in double quotes.
 * Unquoted, k3s' parser takes `0644` as 420 and `yes` as true (contract of k3s' config.yaml).
 * Equal values give equal bytes, in whatever order the keys were set.
 */
export function renderConfig(values: Readonly<Record<string, ConfigValue>>): string {
  return Object.keys(values).length === 0 ? '{}\n' : renderMap(values, '')
}

function renderMap(values: Readonly<Record<string, ConfigValue>>, indent: string): string {
  return Object.keys(values)
    .sort()
    .map((key) => renderEntry(key, values[key] ?? '', indent))
    .join('')
}

function renderEntry(key: string, value: ConfigValue, indent: string): string {
  const name = `${indent}${isPlain(key) ? key : quote(key)}:`
  if (isList(value)) {
    if (value.length === 0) return `${name} []\n`
    return `${name}\n${value.map((item) => `${indent}  - ${scalar(item)}\n`).join('')}`
  }
  if (typeof value === 'object') {
    return Object.keys(value).length === 0 ? `${name} {}\n` : `${name}\n${renderMap(value, `${indent}  `)}`
  }
  return `${name} ${scalar(value)}\n`
}

/** Words that YAML 1.1 takes for booleans or null, also as keys. */
const WORDS = new Set(['yes', 'no', 'on', 'off', 'true', 'false', 'null'])

/** Whether a key needs no quotes. Some readers of YAML 1.1 take `e0` for a number. */
function isPlain(key: string): boolean {
  return /^[a-z][a-z0-9-]*[a-z0-9]$/.test(key) && !WORDS.has(key) && !/^e\d+$/.test(key)
}

function isList(value: ConfigValue): value is readonly (string | number | boolean)[] {
  return Array.isArray(value)
}

function scalar(value: string | number | boolean): string {
  if (typeof value === 'string') return quote(value)
  // Plain only where both versions agree: 1e21 is a string in YAML 1.1, and infinity has a spelling of its own.
  return typeof value === 'boolean' || Number.isSafeInteger(value) ? String(value) : quote(String(value))
}

/** A double-quoted YAML string with everything but printable ASCII escaped. */
function quote(text: string): string {
  let result = ''
  for (const character of text) {
    const code = character.codePointAt(0) ?? 0
    if (character === '"' || character === '\\') result += `\\${character}`
    else if (code >= 0x20 && code < 0x7f) result += character
    else if (character === '\n') result += '\\n'
    else if (character === '\t') result += '\\t'
    else if (code < 0x100) result += `\\x${code.toString(16).padStart(2, '0')}`
    else if (code >= 0xd800 && code < 0xe000) result += '\\ufffd'
    else if (code < 0x10000) result += `\\u${code.toString(16).padStart(4, '0')}`
    else result += `\\U${code.toString(16).padStart(8, '0')}`
  }
  return `"${result}"`
}
