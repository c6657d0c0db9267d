import { spawnSync } from 'node:child_process'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { SHELLS } from '../../machine/shells.fixture.js'
import { K3S } from './paths.js'
import { checkImages } from './waits.js'

let dir = ''
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'airlift-waits-'))
})
afterAll(() => rmSync(dir, { recursive: true, force: true }))

/** Asks once, of a k3s that prints these images, or that does not answer. */
function ask(shell: readonly string[], images: readonly string[] | undefined) {
  const k3s = join(dir, 'k3s')
  const answer = images ? `printf '%s\\n' ${images.join(' ')}` : 'exit 1'
  writeFileSync(k3s, `#!/bin/sh\n${answer}\n`)
  chmodSync(k3s, 0o755)
  const [program = '', ...rest] = shell
  const { script } = checkImages(['r.local/a:1', 'r.local/b:2'], 'k3s-agent', 1000)
  const { status, stdout } = spawnSync(
    program,
    [...rest, '-c', `n=0\n${script.replaceAll(K3S.binary, k3s)}`],
    {
      encoding: 'utf8',
    },
  )
  return { status, stdout }
}

describe.each(SHELLS.map((shell) => [shell.join(' '), shell] as const))(
  'the check of images, under %s',
  (_, shell) => {
    it('ends when every image is there, in whatever order', () => {
      expect(ask(shell, ['r.local/b:2', 'r.local/c:3', 'r.local/a:1'])).toEqual({ status: 0, stdout: '' })
    })

    it('goes on while one is missing, which it names, and while nothing answers', () => {
      expect(ask(shell, ['r.local/b:2', 'r.local/a:10'])).toEqual({
        status: 1,
        stdout: 'missing: r.local/a:1\n',
      })
      expect(ask(shell, undefined)).toEqual({ status: 1, stdout: '' })
    })
  },
)

it('tells, while images are missing, what keeps k3s from getting up', () => {
  const { script } = checkImages(['r.local/a:1'], 'k3s-agent', 1000)
  expect(script).toContain('the master refuses the token of this node')
  expect(script).toMatch(/if \[ \$\(\(n % 4\)\) = 3 \]; then fatal; fi\nexit 1$/)
})
