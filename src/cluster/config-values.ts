import { didYouMean } from '../core/did-you-mean.js'
import { K3S_OPTIONS, k3sOption } from './k3s-options.js'
import type { SpecProblem } from './problems.js'
import type { ConfigValue } from './spec.js'

/** Where a value was written. */
export type Place = Pick<SpecProblem, 'path' | 'line' | 'col'>

/** Splits at commas; `\,` is a comma inside one item, as kubelet arguments need. An empty text is an empty list. */
export function splitList(text: string): string[] {
  const items = text.split(/(?<!\\),/).map((item) => item.replaceAll('\\,', ',').trim())
  return items.filter((item) => item !== '')
}

/** Whether a key may be set: one that k3s does not have is doubtful, one that airlift writes itself is refused. */
export function checkKey(key: string, where: Place, warnings: string[], problems: SpecProblem[]): boolean {
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
export function assignWords(
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
  } else if (option?.kind === 'port') {
    // Without this, k3s is installed everywhere and then ends at each of its starts.
    if (/^\d{1,5}$/.test(word) && Number(word) >= 1 && Number(word) <= 65_535) config[key] = Number(word)
    else wrong('a port from 1 to 65535')
  } else if (option?.kind === 'number') {
    if (/^\d{1,15}$/.test(word)) config[key] = Number(word)
    else wrong('a whole number')
  } else {
    config[key] = word
  }
}

/** How a value of an option is written. */
export function example(key: string): string {
  const kind = k3sOption(key)?.kind ?? 'string'
  const value = { boolean: 'true', number: '5', port: '6443', list: '[a, b]', string: '"text"' }[kind]
  return `write ${key}: ${value}`
}
