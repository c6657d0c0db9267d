import { describe, expect, it } from 'vitest'
import { sudoError, tail } from './sudo.js'

const cases: readonly [stderr: string, message: RegExp, hint: RegExp][] = [
  ['sudo: a password is required', /wants a password/, /--ask-sudo-pass/],
  ['bob is not in the sudoers file.', /not in the sudoers file/, /group sudo/],
  ['Sorry, user bob may not run sudo on web1.', /does not let the user/, /sudoers/],
  [
    "Sorry, user bob is not allowed to execute '/bin/sh' as root on web1.",
    /does not let the user/,
    /sudoers/,
  ],
  ['sudo: sorry, you must have a tty to run sudo', /wants a terminal/, /requiretty/],
  ['sudo: /usr/bin/sudo must be owned by uid 0 and have the setuid bit set', /cannot become root/, /setuid/],
  [
    'sudo: The "no new privileges" flag is set, which prevents sudo from running as root.',
    /cannot become root/,
    /new privileges/,
  ],
  [
    '>>> /etc/sudoers: syntax error near line 3 <<<\nsudo: parse error in /etc/sudoers',
    /is broken/,
    /visudo/,
  ],
  ['sudo: unable to resolve host web1\nsudo: something new', /something new/, /sudo -v/],
]

describe('sudoError', () => {
  it.each(cases)('%s', (stderr, message, hint) => {
    const error = sudoError('', stderr, 'n', 'web1')
    expect(error?.code).toBe('E_SUDO')
    expect(error?.message).toMatch(message)
    expect(error?.hint).toMatch(hint)
    expect(error?.machine).toBe('web1')
  })

  it('knows the words of the elevation line', () => {
    expect(sudoError('n nosudo\n', '', 'n', 'web1')?.message).toMatch(/there is no sudo/)
    expect(sudoError('n never\n', '', 'n', 'web1')?.message).toMatch(/switched off/)
  })

  it('does not blame sudo for a login shell that refuses', () => {
    expect(sudoError('This account is currently not available.', '', 'n', 'web1')).toBeUndefined()
  })
})

describe('tail', () => {
  it('gives the last lines that say something', () => {
    expect(tail('a\n\nb  \nc\n', 2)).toEqual(['b', 'c'])
  })
})
