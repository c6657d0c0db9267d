import { splitFilteredText } from './filter.js'
import type { OptionProblem } from './option-problem.js'

/** A docker label with its filter. */
export interface RuntimeLabel {
  readonly key: string
  readonly value: string
  readonly filter?: string
}

const HINT = 'write KEY=VALUE[@FILTER], such as team=web@workers:*'

/** Reads `--runtime-label KEY[=VALUE][@FILTER]`. Keys that begin with `airlift` hold the state of clusters and are refused. */
export function parseRuntimeLabel(text: string): RuntimeLabel | OptionProblem {
  const { body, filter } = splitFilteredText(text)
  const equals = body.indexOf('=')
  const key = equals < 0 ? body : body.slice(0, equals)
  if (!/^[A-Za-z0-9](?:[\w./-]{0,253}[A-Za-z0-9])?$/.test(key)) {
    return { message: `"${key}" is not the key of a label, in "${text}"`, hint: HINT }
  }
  if (/^airlift/i.test(key)) {
    return {
      message: `the label "${key}" is one of airlift's own`,
      hint: 'choose a key that does not begin with airlift',
    }
  }
  const value = equals < 0 ? '' : body.slice(equals + 1)
  return { key, value, ...(filter === undefined ? {} : { filter }) }
}
