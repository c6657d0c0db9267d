import {
  type Document,
  isAlias,
  isMap,
  isNode,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseDocument,
  visit,
} from 'yaml'
import { didYouMean } from '../core/did-you-mean.js'
import { K3S_OPTIONS, k3sOption } from './k3s-options.js'
import type { SpecProblem } from './problems.js'
import type { ConfigValue, Role } from './spec.js'
import { yamlMessage } from './yaml-problem.js'

export { renderConfig } from './render-config.js'

/** The configuration that a user wrote, in a file and as `--set`. */
export interface ConfigSources {
  /** Text of `--config FILE`. */
  readonly file?: { readonly path: string; readonly text: string }
  /** Values of `--set key=value`, in order. They win over the file. */
  readonly set: readonly string[]
}

/** What was understood, and what is doubtful but taken. */
export interface ConfigResult {
  readonly config: Readonly<Record<string, ConfigValue>>
  readonly warnings: readonly string[]
}

type Scalar = string | number | boolean
type Place = Pick<SpecProblem, 'path' | 'line' | 'col'>

/**
 * Reads k3s configuration. Values get the type of k3s' option, whatever way they were written: `0644` stays text for
 * `write-kubeconfig-mode`, `yes` is true for a boolean, `a,b` is a list for a list. Keys that k3s does not have are kept
 * with a warning; keys that airlift writes itself are refused with what to do instead. Values are never put into messages
 * of secret keys.
 */
export function readConfig(sources: ConfigSources, problems: SpecProblem[]): ConfigResult {
  const config: Record<string, ConfigValue> = {}
  const warnings: string[] = []
  if (sources.file) readConfigFile(sources.file.path, sources.file.text, config, warnings, problems)
  readSet(sources.set, config, warnings, problems)
  return { config, warnings }
}

/** The part of a configuration that one role's k3s takes: masters get all but what only agents know, workers no server key. */
export function splitConfig(
  config: Readonly<Record<string, ConfigValue>>,
  role: Role,
): Record<string, ConfigValue> {
  const other: Role = role === 'master' ? 'worker' : 'master'
  // An unknown key goes to masters only: k3s' agent ends itself at a server's key that it does not know.
  const wanted = (key: string): boolean => {
    const option = k3sOption(key)
    return option === undefined ? role === 'master' : option.roles !== other
  }
  return Object.fromEntries(Object.entries(config).filter(([key]) => wanted(key)))
}

function readConfigFile(
  path: string,
  text: string,
  config: Record<string, ConfigValue>,
  warnings: string[],
  problems: SpecProblem[],
): void {
  const lines = new LineCounter()
  // k3s reads YAML 1.1.
  const document = parseDocument(text, { version: '1.1', lineCounter: lines, prettyErrors: false })
  const place = (offset: number): Place => ({ path, ...lines.linePos(offset) })
  for (const error of [...document.errors, ...document.warnings]) {
    const hint = 'k3s configuration is a YAML mapping: key: value'
    problems.push({
      code: 'E_CONFIG_INVALID',
      ...place(error.pos[0]),
      message: yamlMessage(error),
      hint,
    })
  }
  if (document.errors.length + document.warnings.length > 0 || document.contents === null) return
  visit(document, {
    Alias: (_, alias) => {
      if (alias.resolve(document)) return
      const message = 'a word that begins with * has to be in quotes'
      problems.push({ code: 'E_CONFIG_INVALID', ...place(alias.range?.[0] ?? 0), message, hint: 'quote it' })
    },
  })
  if (problems.some((problem) => problem.path === path)) return
  if (!isMap(document.contents)) {
    const hint = 'k3s configuration is a YAML mapping: key: value'
    problems.push({ code: 'E_CONFIG_INVALID', path, line: 1, message: 'the file is not a mapping', hint })
    return
  }
  for (const pair of document.contents.items) {
    const keyNode = pair.key as Node
    const where = place(keyNode.range?.[0] ?? 0)
    // "key+" appends to a list in k3s' drop-in files; in the only file it means the same as "key".
    const key = String(isScalar(keyNode) ? keyNode.value : keyNode).replace(/\+$/, '')
    const value = isAlias(pair.value) ? pair.value.resolve(document) : pair.value
    const words = sourceWords(value)
    if (!checkKey(key, where, warnings, problems)) continue
    const option = k3sOption(key)
    if (words === undefined) {
      if (option === undefined && isNode(value) && !isScalar(value))
        config[key] = unknownValue(value, document)
      else
        problems.push({
          code: 'E_CONFIG_INVALID',
          ...where,
          message: `"${key}" has no value that k3s takes`,
          hint: example(key),
        })
      continue
    }
    if (option === undefined) config[key] = unknownValue(value as Node, document)
    else assign(config, key, words.list ? words.items : words.items.slice(0, 1), where, problems, words.list)
  }
}

/** A value whose option is not known, as YAML 1.1 has it; dates become text. */
function unknownValue(node: Node, document: Document): ConfigValue {
  return JSON.parse(JSON.stringify(node.toJS(document))) as ConfigValue
}

/** The scalars of a value as they were written. Undefined for mappings, nested lists and nothing. */
function sourceWords(node: unknown): { list: boolean; items: string[] } | undefined {
  if (isScalar(node)) {
    if (node.value === null) return undefined
    return {
      list: false,
      items: [typeof node.value === 'string' ? node.value : (node.source ?? String(node.value))],
    }
  }
  if (!isSeq(node)) return undefined
  const items = node.items.map((item) => sourceWords(item))
  if (items.some((item) => item === undefined || item.list)) return undefined
  return { list: true, items: items.flatMap((item) => item?.items ?? []) }
}

function readSet(
  set: readonly string[],
  config: Record<string, ConfigValue>,
  warnings: string[],
  problems: SpecProblem[],
): void {
  const lists = new Map<string, string[]>()
  for (const text of set) {
    const equals = text.indexOf('=')
    const key = equals < 0 ? text : text.slice(0, equals).trim()
    const where: Place = { path: '--set' }
    if (equals < 1 || !/^[A-Za-z0-9][\w.-]*$/.test(key)) {
      const shown = equals < 0 ? text : key
      problems.push({
        code: 'E_CONFIG_INVALID',
        ...where,
        message: `"${shown}" is not key=value`,
        hint: 'write --set disable=traefik',
      })
      continue
    }
    if (!checkKey(key, where, warnings, problems)) continue
    const value = text.slice(equals + 1)
    const option = k3sOption(key)
    if (option === undefined) config[key] = guess(value)
    else if (option.kind === 'list') {
      const items = [...(lists.get(key) ?? []), ...splitList(value)]
      lists.set(key, items)
      assign(config, key, items, where, problems, true)
    } else assign(config, key, [value], where, problems, false)
  }
}

/** Splits at commas; `\,` is a comma inside one item, as kubelet arguments need. An empty text is an empty list. */
function splitList(text: string): string[] {
  const items = text.split(/(?<!\\),/).map((item) => item.replaceAll('\\,', ',').trim())
  return items.filter((item) => item !== '')
}

/** The type of a value whose option is not known: booleans and plain integers, otherwise text. */
function guess(text: string): Scalar {
  if (text === 'true' || text === 'false') return text === 'true'
  return /^-?(0|[1-9]\d{0,14})$/.test(text) ? Number(text) : text
}

function checkKey(key: string, where: Place, warnings: string[], problems: SpecProblem[]): boolean {
  const option = k3sOption(key)
  if (option === undefined) {
    const near = didYouMean(key, Object.keys(K3S_OPTIONS))
    const suggestion = near === undefined ? '' : `; did you mean "${near}"?`
    const line = where.line === undefined ? '' : `:${where.line}`
    warnings.push(
      `${where.path}${line}: k3s has no option "${key}"; it is passed on to masters as it is${suggestion}`,
    )
    return true
  }
  if (option.owned === undefined) return true
  problems.push({
    code: 'E_CONFIG_INVALID',
    ...where,
    message: `"${key}" is not yours to set`,
    hint: option.owned,
  })
  return false
}

/** Turns the words of a value into the type of the option. */
function assign(
  config: Record<string, ConfigValue>,
  key: string,
  words: readonly string[],
  where: Place,
  problems: SpecProblem[],
  asList: boolean,
): void {
  const option = k3sOption(key)
  const shown = option?.secret ? 'the value' : `"${words.join(',')}"`
  const wrong = (expected: string): void => {
    problems.push({
      code: 'E_CONFIG_INVALID',
      ...where,
      message: `${shown} of "${key}" is not ${expected}`,
      hint: example(key),
    })
  }
  const [word = ''] = words
  if (option?.kind === 'list') {
    config[key] = asList ? [...words] : splitList(word)
  } else if (asList) {
    wrong('a single value')
  } else if (option?.kind === 'boolean') {
    if (/^(true|yes|on)$/i.test(word)) config[key] = true
    else if (/^(false|no|off)$/i.test(word)) config[key] = false
    else wrong('true or false')
  } else if (option?.kind === 'number') {
    if (/^\d{1,15}$/.test(word)) config[key] = Number(word)
    else wrong('a whole number')
  } else {
    config[key] = word
  }
}

function example(key: string): string {
  const kind = k3sOption(key)?.kind ?? 'string'
  const value = { boolean: 'true', number: '6443', list: '[a, b]', string: '"text"' }[kind]
  return `write ${key}: ${value}`
}
