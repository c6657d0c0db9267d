import { AirliftError } from '../../core/errors.js'

/** One setting that applies to a host. */
export interface ConfigSetting {
  /** Lower case. */
  readonly key: string
  readonly words: readonly string[]
  /** `file:line`, for errors. */
  readonly where: string
}

/** The settings that apply to one host, in the order in which they were found: the first one wins. */
export interface ConfigValues {
  /** The first word of the first setting. */
  one(key: string): string | undefined
  /** The words of the first setting. */
  words(key: string): readonly string[]
  /** The first words of every setting; for keys that add up, such as IdentityFile. */
  all(key: string): readonly string[]
  /** @throws AirliftError E_SSH_CONFIG when it is not a number */
  number(key: string): number | undefined
  /** @throws AirliftError E_SSH_CONFIG when it is neither yes nor no */
  flag(key: string): boolean | undefined
  /** A flag that also takes other words, which count as yes. */
  flagOr(key: string, others: readonly string[]): boolean | undefined
  /** The position of the first setting of a key; -1 when there is none. */
  order(key: string): number
  /** True when a `Match exec` had to be left undecided. */
  readonly usesExec: boolean
}

/** Wraps settings for reading. */
export function createConfigValues(settings: readonly ConfigSetting[], usesExec = false): ConfigValues {
  const first = (key: string): ConfigSetting | undefined => settings.find((each) => each.key === key)
  const bad = (setting: ConfigSetting, wanted: string): AirliftError =>
    new AirliftError(
      'E_SSH_CONFIG',
      `${setting.where}: ${setting.key} "${setting.words.join(' ')}" is not ${wanted}`,
      {
        hint: 'correct the line; "ssh -G HOST" shows what ssh makes of it',
      },
    )
  const flag = (key: string, others: readonly string[]): boolean | undefined => {
    const setting = first(key)
    if (!setting) return undefined
    const word = setting.words[0]?.toLowerCase() ?? ''
    if (['yes', 'true', ...others].includes(word)) return true
    if (['no', 'false'].includes(word)) return false
    throw bad(setting, 'yes or no')
  }
  return {
    usesExec,
    one: (key) => first(key)?.words[0],
    words: (key) => first(key)?.words ?? [],
    // The second pass of "Match final" finds everything again.
    all: (key) => [
      ...new Set(settings.filter((each) => each.key === key).flatMap((each) => each.words.slice(0, 1))),
    ],
    order: (key) => settings.findIndex((each) => each.key === key),
    number: (key) => {
      const setting = first(key)
      if (!setting) return undefined
      const seconds = key === 'port' ? undefined : duration(setting.words[0] ?? '')
      const value = seconds ?? Number(setting.words[0])
      if (key === 'connecttimeout' && setting.words[0]?.toLowerCase() === 'none') return undefined
      const good = Number.isInteger(value) && value >= 0 && (key !== 'port' || (value > 0 && value < 65536))
      if (!good) throw bad(setting, key === 'port' ? 'a port from 1 to 65535' : 'a number')
      return value
    },
    flag: (key) => flag(key, []),
    flagOr: flag,
  }
}

const UNIT: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400, w: 604_800 }

/** Seconds of ssh's TIME FORMATS such as `90`, `2m`, `1h30m`; undefined when it is not one. */
function duration(text: string): number | undefined {
  if (!/^(\d+[smhdw]?)+$/i.test(text)) return undefined
  let seconds = 0
  for (const [, amount, unit] of text.matchAll(/(\d+)([smhdw]?)/gi)) {
    seconds += Number(amount) * (UNIT[(unit || 's').toLowerCase()] ?? 1)
  }
  return seconds
}
