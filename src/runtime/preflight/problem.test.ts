import { describe, expect, it } from 'vitest'
import { AirliftError } from '../../core/errors.js'
import { PREFLIGHT_CODES, preflightCodes } from './codes.js'
import { type Problem, problem } from './problem.js'
import { checkIgnore, refusals, refuse } from './refuse.js'

const noDisk = problem('disk-space', 'root@a', '/var/lib/rancher (on /): 1 MiB free, 2.1 GiB needed')
const noInit = problem('no-init', 'root@b', 'Alpine runs neither systemd nor OpenRC')
const swap = problem('swap', 'root@a', '1.0 GiB of swap')
const wall = problem('firewall', 'root@a', 'ufw is on')

function thrown(problems: readonly Problem[], ignore: readonly string[]): AirliftError {
  try {
    refuse(problems, ignore)
  } catch (error) {
    if (error instanceof AirliftError) return error
    throw error
  }
  throw new Error('nothing was refused')
}

describe('refuse', () => {
  it('lets warnings and facts pass', () => {
    expect(() => refuse([swap, wall], [])).not.toThrow()
  })

  it('refuses with exit code 5, all problems, their fixes and the way to ignore', () => {
    const error = thrown([noDisk, noInit, wall, swap], [])
    expect(error).toMatchObject({ code: 'E_PREFLIGHT', exit: 5 })
    expect(error.message).toBe('2 problems on 2 machines; nothing was changed')
    const log = error.log.join('\n')
    for (const part of ['disk-space', 'no-init', 'firewall', 'refused', 'warning', 'fix: '])
      expect(log).toContain(part)
    expect(log).not.toContain('swap')
    expect(error.hint).toContain('--ignore disk-space')
    expect(error.hint).not.toContain('no-init')
    expect(error.data).toEqual({ problems: [noDisk, noInit, wall, swap] })
  })

  it('says a single problem in one line', () => {
    const error = thrown([noDisk], [])
    expect(error.message).toBe('root@a: /var/lib/rancher (on /): 1 MiB free, 2.1 GiB needed (disk-space)')
    expect(error.machine).toBe('root@a')
  })

  it('lets an ignored error pass, but not one that cannot be ignored', () => {
    expect(() => refuse([noDisk], ['disk-space'])).not.toThrow()
    expect(thrown([noDisk, noInit], ['disk-space']).message).toMatch(/neither systemd nor OpenRC/)
    expect(refusals([noDisk, noInit], ['disk-space'])).toEqual([noInit])
  })

  it('puts equal problems of several machines into one row', () => {
    const everywhere = ['a', 'b', 'c', 'd', 'e'].map((name) =>
      problem('nm-cloud-setup', name, 'nm-cloud-setup is enabled'),
    )
    const error = thrown(everywhere, [])
    expect(error.log.filter((line) => line.includes('nm-cloud-setup is enabled'))).toHaveLength(1)
    expect(error.log[0]).toContain('a, b, c and 2 more')
  })

  it('refuses a code that does not exist with exit code 2 and the list', () => {
    try {
      checkIgnore(['disk-spcae'])
      expect.unreachable()
    } catch (error) {
      expect(error).toMatchObject({ code: 'E_USAGE', exit: 2, hint: expect.stringContaining('disk-space') })
    }
  })
})

it('refuses to ignore what nothing lets pass, and takes codes of warnings', () => {
  expect(() => checkIgnore(['disk-space', 'firewall', 'swap'])).not.toThrow()
  expect(() => checkIgnore(['disk-space', 'no-init'])).toThrow(
    expect.objectContaining({
      code: 'E_USAGE',
      message: expect.stringContaining('"no-init" cannot be ignored'),
      hint: expect.not.stringContaining('no-init'),
    }),
  )
})

describe('codes', () => {
  it('have stable names, a meaning and a fix', () => {
    for (const code of preflightCodes) {
      expect(code).toMatch(/^[a-z0-9]+(-[a-z0-9]+)*$/)
      expect(PREFLIGHT_CODES[code].means).toMatch(/\.$/)
      expect(PREFLIGHT_CODES[code].fix).not.toBe('')
    }
  })
})
