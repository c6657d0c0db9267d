import {
  Document,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  parseDocument,
  Scalar,
  visit,
  YAMLMap,
  type YAMLSeq,
} from 'yaml'
import { yamlMessage } from '../cluster/yaml-problem.js'
import { AirliftError } from '../core/errors.js'

/** The three lists of a kubeconfig, with the key under which each entry has its content. */
export const SECTIONS = { clusters: 'cluster', users: 'user', contexts: 'context' } as const

/** A list of a kubeconfig. */
export type Section = keyof typeof SECTIONS

/**
 * A kubeconfig that can be changed while everything else in it stays: comments, order, fields that airlift does not know.
 * Read with YAML's failsafe schema, in which every value is text, so nothing is written differently than it was.
 */
export class KubeconfigDocument {
  readonly #document: Document
  readonly #indentSeq: boolean

  /** @throws AirliftError E_KUBECONFIG, with the line, when the text is no kubeconfig */
  constructor(path: string, text: string | undefined) {
    const lines = new LineCounter()
    const document = parseDocument(text ?? '', {
      schema: 'failsafe',
      lineCounter: lines,
      prettyErrors: false,
    })
    const [error] = document.errors
    if (error) throw malformed(path, yamlMessage(error), lines.linePos(error.pos[0]).line)
    visit(document, {
      Alias: (_, alias) => {
        if (alias.resolve(document)) return
        const { line } = lines.linePos(alias.range?.[0] ?? 0)
        throw malformed(path, 'a word that begins with * has to be in quotes', line)
      },
    })
    const root = document.contents
    const empty = root === null || (isScalar(root) && root.value === '')
    if (!empty && !isMap(root)) throw malformed(path, 'it is not a mapping', 1)
    this.#document = empty ? emptyConfig(document.commentBefore ?? undefined) : document
    // kubectl writes lists without indentation; a file keeps its way.
    this.#indentSeq = text !== undefined && /^[\w-]+:[ \t]*(?:#.*)?\n[ \t]+-/m.test(text)
    for (const section of Object.keys(SECTIONS) as Section[]) {
      const node = this.#document.get(section, true)
      if (!isNothing(node) && !(isSeq(node) && node.items.every((item) => isMap(item)))) {
        throw malformed(path, `${section} is not a list of entries`, undefined)
      }
    }
  }

  get currentContext(): string {
    return textOf(this.#document.get('current-context', true))
  }

  set currentContext(name: string) {
    const present = this.#document.get('current-context', true)
    const wanted = plain(name)
    // Changed in place, so that a comment behind it stays.
    if (isScalar(present)) Object.assign(present, { value: wanted.value, type: wanted.type ?? 'PLAIN' })
    else this.#document.set('current-context', wanted)
  }

  /** The content of an entry; undefined when there is none of that name. */
  get(section: Section, name: string): YAMLMap | undefined {
    const content = this.#find(section, name)?.get(SECTIONS[section], true)
    return isMap(content) ? content : undefined
  }

  has(section: Section, name: string): boolean {
    return this.#find(section, name) !== undefined
  }

  /** The content of an entry to write into; the entry is added when there is none. */
  ensure(section: Section, name: string): YAMLMap {
    let entry = this.#find(section, name)
    if (entry === undefined) {
      entry = new YAMLMap()
      entry.set('name', plain(name))
      this.#list(section).add(entry)
    }
    const content = entry.get(SECTIONS[section], true)
    if (isMap(content)) return content
    const added = new YAMLMap()
    entry.set(SECTIONS[section], added)
    return added
  }

  /** Takes an entry out. */
  remove(section: Section, name: string): void {
    const list = this.#list(section)
    list.items = list.items.filter((item) => !isMap(item) || textOf(item.get('name', true)) !== name)
    if (list.items.length === 0) list.flow = true
  }

  toString(): string {
    return this.#document.toString({ lineWidth: 0, indentSeq: this.#indentSeq, flowCollectionPadding: false })
  }

  #find(section: Section, name: string): YAMLMap | undefined {
    const list = this.#document.get(section, true)
    const items = isSeq(list) ? list.items.filter((item) => isMap(item)) : []
    return items.find((item) => textOf(item.get('name', true)) === name)
  }

  #list(section: Section): YAMLSeq {
    const list = this.#document.get(section, true)
    if (isSeq(list)) {
      // kubectl writes an empty list as []; entries in it would all go onto one line.
      if (list.items.length === 0) list.flow = false
      return list
    }
    const added = this.#document.createNode([]) as unknown as YAMLSeq
    this.#document.set(section, added)
    return added
  }
}

/** A text that every YAML reads as text. */
export function plain(value: string): Scalar<string> {
  const scalar = new Scalar(value)
  const safe =
    /^[A-Za-z/][\w./:@+=-]*$/.test(value) &&
    !/^(y|n|yes|no|on|off|true|false|null)$/i.test(value) &&
    !/:$/.test(value)
  if (!safe) scalar.type = 'QUOTE_DOUBLE'
  return scalar
}

/** The text of a node; empty for nothing and for `null`. */
export function textOf(node: unknown): string {
  if (!isScalar(node) || isNothing(node)) return ''
  return String(node.value)
}

function isNothing(node: unknown): boolean {
  if (node === undefined || node === null) return true
  if (!isScalar(node)) return false
  return (
    node.value === null ||
    node.value === '' ||
    (node.type === 'PLAIN' && /^(null|Null|NULL|~)$/.test(String(node.value)))
  )
}

function emptyConfig(comment: string | undefined): Document {
  const document = new Document({}, { schema: 'failsafe' })
  if (comment !== undefined) document.commentBefore = comment
  document.set('apiVersion', 'v1')
  document.set('kind', 'Config')
  return document
}

function malformed(path: string, reason: string, line: number | undefined): AirliftError {
  const place = line === undefined ? '' : `:${line}`
  return new AirliftError('E_KUBECONFIG', `the kubeconfig ${path}${place} is malformed: ${reason}`, {
    hint: 'repair the file, or write elsewhere with --kubeconfig PATH; it was not touched',
  })
}
