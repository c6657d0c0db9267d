import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Elevation } from './wire.js'
import { BOOT, BOOT_ARGS, body, createNonce, elevationLine, interactiveCommand, readyWord } from './wire.js'

const shells = [
  ['dash', ['/usr/bin/dash']],
  ['bash', ['/bin/bash', '--posix']],
  ['busybox', ['/bin/busybox', 'sh']],
] as const

/** Runs what goes over the wire with a given shell in the place of /bin/sh. */
function run(shell: readonly string[], script: string, data?: string, elevation: Elevation = 'none') {
  const nonce = createNonce()
  const input = `${elevationLine(nonce, elevation)}\n${body(nonce, script, data !== undefined)}${data ?? ''}`
  const [program = '', ...args] = shell
  const result = spawnSync(program, [...args, ...BOOT_ARGS], { input, encoding: 'utf8' })
  const own = result.stdout.slice(result.stdout.indexOf('\n', result.stdout.indexOf(`${nonce} go`)) + 1)
  return { ...result, own, nonce }
}

describe.each(shells)('the wire under %s', (_name, shell) => {
  const present = existsSync(shell[0])

  it.skipIf(!present)('runs a script of several lines and gives its exit code', () => {
    const result = run(shell, 'a=1\ncat <<END\nline $a\nEND\nexit 7')
    expect(result.own).toBe('line 1\n')
    expect(result.status).toBe(7)
  })

  it.skipIf(!present)(
    'gives a script without data an empty standard input, so that nothing eats the script',
    () => {
      expect(run(shell, 'cat\necho after').own).toBe('after\n')
    },
  )

  it.skipIf(!present)('leaves the data to the script, byte for byte', () => {
    const data = `first\n${'x'.repeat(200_000)}\nlast without newline`
    expect(run(shell, 'IFS= read -r a; echo "$a"; cat', data).own).toBe(data)
  })

  it.skipIf(!present)('does not run a script that arrives cut off', () => {
    const nonce = createNonce()
    for (const hasData of [true, false]) {
      const whole = `${elevationLine(nonce, 'none')}\n${body(nonce, 'echo ran', hasData)}`
      const cut = whole.slice(0, whole.length - 12)
      const [program = '', ...args] = shell
      const result = spawnSync(program, [...args, ...BOOT_ARGS], { input: cut, encoding: 'utf8' })
      expect(result.stdout).not.toContain('ran')
      expect(result.status).toBe(125)
    }
  })

  it.skipIf(!present)('finds programs in sbin even when PATH has none', () => {
    const result = run(shell, 'echo "$PATH"; command -v getent >/dev/null && echo found')
    expect(result.own).toContain('/usr/local/sbin:/usr/local/bin:/usr/sbin')
    expect(result.own).toContain('found')
  })

  it.skipIf(!present)('carries any text through', { timeout: 60_000 }, () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'binary', maxLength: 200 }).filter((text) => !text.includes('\0')),
        (text) => {
          const quoted = `'${text.replaceAll("'", `'\\''`)}'`
          // The last byte keeps trailing newlines from being cut by command substitution in this test.
          const result = run(shell, `printf %s ${quoted}; printf x`)
          expect(result.own).toBe(`${Buffer.from(text, 'utf8').toString('utf8')}x`)
        },
      ),
      { numRuns: 15 },
    )
  })
})

describe('the command line that is seen', () => {
  it('survives every login shell: one line, no backslash, no exclamation mark', () => {
    expect(BOOT).not.toMatch(/[\n\\!]/)
  })

  it('is the same for every script', () => {
    expect(execFileSync('/bin/sh', ['-c', BOOT], { input: 'echo one\n', encoding: 'utf8' })).toBe('one\n')
  })
})

describe('elevationLine', () => {
  it('asks for nothing where root is not wanted', () => {
    expect(elevationLine('n', 'none')).not.toContain('sudo')
  })

  it('never lets sudo ask when there is no password to give', () => {
    expect(elevationLine('n', 'sudo')).toContain('sudo -n --')
  })

  it('lets sudo read the password from standard input and says when it is content', () => {
    const line = elevationLine('n', 'sudo-password')
    expect(line).toContain("sudo -S -p 'n-password:'")
    expect(line).toContain(readyWord('n'))
  })

  it('says so when the user is not root and sudo is switched off', () => {
    const script = elevationLine('n', 'never').replace('id -u', 'echo 1000')
    const result = spawnSync('/bin/sh', ['-c', script], { encoding: 'utf8', input: '' })
    expect(result.stdout).toBe('n never\n')
    expect(result.status).toBe(126)
  })

  it('uses sudo as root too when it must always', () => {
    expect(elevationLine('n', 'always')).not.toContain('id -u')
  })
})

describe('interactiveCommand', () => {
  it('runs the command as it was written', () => {
    const command = `echo "it's $((1+1))" '!'`
    expect(execFileSync('/bin/sh', ['-c', interactiveCommand(command, 'none')], { encoding: 'utf8' })).toBe(
      "it's 2 !\n",
    )
  })

  it('goes through sudo only where the user is not root', () => {
    expect(interactiveCommand('id', 'sudo')).toContain('id -u')
    expect(interactiveCommand('id', 'always')).not.toContain('id -u')
  })
})
