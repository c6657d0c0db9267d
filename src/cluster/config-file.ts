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
import { assignWords, checkKey, example, type Place } from './config-values.js'
import { k3sOption } from './k3s-options.js'
import type { SpecProblem } from './problems.js'
import type { ConfigValue } from './spec.js'
import { yamlMessage } from './yaml-problem.js'

/** Reads a k3s configuration file into `config`; see readConfig. */
export function readConfigFile(
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
    else
      assignWords(
        config,
        key,
        words.list ? words.items : words.items.slice(0, 1),
        where,
        problems,
        words.list,
      )
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
