import { AirliftError } from '../../core/errors.js'

/** What sudo says, as a regular expression, and what it means. The texts are those of the C locale (sudo 1.8 to 1.9). */
const SAYINGS: readonly (readonly [RegExp, string, string])[] = [
  [
    /a password is required|no password was provided|a terminal is required to (read|authenticate)/i,
    'sudo wants a password',
    'run with --ask-sudo-pass, set AIRLIFT_SUDO_PASSWORD, or allow the user sudo with NOPASSWD',
  ],
  [
    /not in the sudoers file/i,
    'the user is not in the sudoers file',
    'add the user to the group sudo (or wheel) on the machine, or connect as root with --user root',
  ],
  [
    /may not run sudo|is not allowed to (execute|run sudo)/i,
    'sudo does not let the user run a shell as root',
    'allow the user ALL in /etc/sudoers.d on the machine, or connect as root with --user root',
  ],
  [
    /must have a tty/i,
    'sudo wants a terminal (requiretty)',
    'put "Defaults:USER !requiretty" into /etc/sudoers.d on the machine, or connect as root with --user root',
  ],
  [
    /must be owned by uid 0 and have the setuid bit|effective uid is not 0|no new privileges/i,
    'sudo cannot become root there',
    'repair the installation of sudo (setuid bit, nosuid mount, container without new privileges), or connect as root',
  ],
  [
    /parse error|syntax error in \/etc\/sudoers|no valid sudoers/i,
    'the sudoers file is broken',
    'check it with "visudo -c" on the machine',
  ],
]

/** The error for a sudo that asked a second time: the password that it was given is wrong. */
export function wrongSudoPassword(machine: string): AirliftError {
  return new AirliftError('E_SUDO', 'sudo refused the password', {
    machine,
    hint: 'check the password of the user on the machine (AIRLIFT_SUDO_PASSWORD or --ask-sudo-pass)',
  })
}

/** The error for a script that did not start, from the word that the elevation line printed or from what sudo said; undefined when it was not sudo. */
export function sudoError(
  stdout: string,
  stderr: string,
  nonce: string,
  machine: string,
): AirliftError | undefined {
  if (stdout.includes(`${nonce} never`)) {
    return new AirliftError('E_SUDO', 'the user is not root and sudo is switched off', {
      machine,
      hint: 'leave out "--sudo never", or connect as root with --user root',
    })
  }
  if (stdout.includes(`${nonce} nosudo`)) {
    return new AirliftError('E_SUDO', 'the user is not root and there is no sudo', {
      machine,
      hint: 'install sudo on the machine, or connect as root with --user root',
    })
  }
  for (const [pattern, message, hint] of SAYINGS) {
    if (pattern.test(stderr)) return new AirliftError('E_SUDO', message, { machine, hint, log: tail(stderr) })
  }
  if (/^sudo: /m.test(stderr)) {
    return new AirliftError('E_SUDO', `sudo failed: ${tail(stderr, 1).join('')}`, {
      machine,
      hint: 'try "sudo -v" as that user on the machine',
      log: tail(stderr),
    })
  }
  return undefined
}

/** The last lines of a text that say something. */
export function tail(text: string, count = 5): string[] {
  return text
    .split('\n')
    .map((line) => line.trimEnd())
    .filter((line) => line !== '')
    .slice(-count)
}
