import { type Document, isAlias, isMap, isScalar, isSeq, type LineCounter, type Node } from 'yaml'
import type { SpecProblem } from '../cluster/problems.js'
import { didYouMean } from '../core/did-you-mean.js'

/** Walks a parsed registries.yaml and notes what is wrong with its line. Values are never put into messages by it. */
export class RegistriesReader {
  readonly root: Node | null
  readonly warnings: string[] = []
  readonly #name: string
  readonly #document: Document
  readonly #lines: LineCounter | undefined
  readonly #problems: SpecProblem[]

  /** Without `lines` no line is told. */
  constructor(name: string, document: Document, lines: LineCounter | undefined, problems: SpecProblem[]) {
    this.root = document.contents as Node | null
    this.#name = name
    this.#document = document
    this.#lines = lines
    this.#problems = problems
  }

  /** Notes a problem at a node. */
  refuse(node: unknown, where: string, message: string, hint: string): void {
    const at = this.#place(node)
    const shown = where === '' ? message : `${where}: ${message}`
    this.#problems.push({ code: 'E_REGISTRIES_INVALID', path: this.#name, ...at, message: shown, hint })
  }

  /** Notes what is doubtful, but what k3s takes. */
  warn(node: unknown, message: string): void {
    const { line } = this.#place(node)
    this.warnings.push(`${this.#name}${line === undefined ? '' : `:${line}`}: ${message}`)
  }

  /** The entries of a mapping; with `known`, other keys are refused. Nothing at all is an empty mapping. */
  map(node: unknown, where: string, known?: readonly string[]): Map<string, Node | null> {
    const entries = new Map<string, Node | null>()
    const target = this.#follow(node)
    if (isNothing(target)) return entries
    if (!isMap(target)) {
      this.refuse(target, where, 'is not a mapping', 'write key: value, with a space after the colon')
      return entries
    }
    for (const { key, value } of target.items) {
      const name = isScalar(key) ? (key.source ?? String(key.value)) : ''
      if (known && !known.includes(name)) this.#refuseKey(key, where, name, known)
      else entries.set(name, this.#follow(value) as Node | null)
    }
    return entries
  }

  /** A text as it was written, so that `0123` stays so. */
  text(node: unknown, where: string): string | undefined {
    const target = this.#follow(node)
    if (isScalar(target) && target.value !== null) {
      return typeof target.value === 'string' ? target.value : (target.source ?? String(target.value))
    }
    this.refuse(target ?? this.root, where, 'is not a text', 'write one value')
    return undefined
  }

  /** The items of a list. */
  list(node: unknown, where: string): Node[] {
    const target = this.#follow(node)
    if (isNothing(target)) return []
    if (isSeq(target)) return target.items.map((item) => this.#follow(item) as Node)
    this.refuse(
      target,
      where,
      'is not a list',
      'write it in brackets, or each on a line that begins with a dash',
    )
    return []
  }

  #refuseKey(node: unknown, where: string, name: string, known: readonly string[]): void {
    const near = didYouMean(name, known)
    const hint = near === undefined ? `known are ${known.join(', ')}` : `did you mean "${near}"?`
    // What does not look like a key may be a password without its key.
    const shown = /^[A-Za-z_-]{1,24}$/.test(name) ? `"${name}" is not known` : 'a key is not known'
    this.refuse(node, where, shown, hint)
  }

  #follow(node: unknown): unknown {
    return isAlias(node) ? node.resolve(this.#document) : node
  }

  #place(node: unknown): { line?: number; col?: number } {
    const offset = (node as Node | null | undefined)?.range?.[0]
    return offset === undefined || this.#lines === undefined ? {} : this.#lines.linePos(offset)
  }
}

function isNothing(node: unknown): boolean {
  return node === null || node === undefined || (isScalar(node) && node.value === null)
}
