import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { elf, write } from './archives.fixture.js'
import { isLoadable } from './elf.js'
import { checkProgramVersion } from './program-version.js'

let dir: string
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'airlift-version-'))
})
afterEach(() => rmSync(dir, { recursive: true, force: true }))

const { signal } = new AbortController()
const check = (content: string | Buffer, version = 'v1.33.1+k3s1'): Promise<void> =>
  checkProgramVersion(write(join(dir, 'k3s'), content), version, { tempDir: dir, signal })
const script = (lines: string): string => `#!/bin/sh\n[ "$1" = --version ] || exit 9\n${lines}\n`
const says = (version: string): string => `echo 'k3s version ${version} (abc)'; echo 'go version go1.24.2'`

describe('checkProgramVersion', () => {
  it('asks a program, which need not be executable, and leaves nothing behind', async () => {
    await check(script(says('v1.33.1+k3s1')))
    await expect(check(script(says('v1.32.5+k3s1')))).rejects.toMatchObject({
      code: 'E_USAGE',
      exit: 2,
      message: `${join(dir, 'k3s')} is k3s v1.32.5+k3s1, and --version is v1.33.1+k3s1`,
      hint: 'use --version v1.32.5+k3s1, or give the program of v1.33.1+k3s1',
    })
    expect(readdirSync(dir)).toEqual(['k3s'])
  })

  it('does not name a release in the remedy that airlift would refuse', async () => {
    await expect(check(script(says('v1.33.1+k3s-6a322f1')))).rejects.toMatchObject({
      hint: 'give the program of the release v1.33.1+k3s1',
    })
  })

  it.each([
    ['tells nothing', ':'],
    ['fails', 'exit 3'],
    ['tells something else', 'echo v2.0'],
    ['is of an interpreter that is not there', ''],
  ])('takes a program that %s', async (what, lines) => {
    await check(what.includes('interpreter') ? '#!/none\n' : script(lines))
  })

  it('minds what a program said, however it ends, and whether it ends', async () => {
    for (const end of ['exit 3', 'sleep 600 & sleep 600'])
      await expect(check(script(`${says('v1.32.5+k3s1')}; ${end}`))).rejects.toMatchObject({
        code: 'E_USAGE',
      })
  })

  it.each([
    ['one release', '\0v1.32.5+k3s1\0v1.32.5-k3s1\0', /is k3s v1\.32\.5\+k3s1/],
    ['its own release', '\0v1.33.1+k3s1\0', undefined],
    ['several releases', '\0v1.33.1+k3s1\0v1.32.5+k3s1\0', undefined],
    ['a release that goes on', '\0v1.32.5+k3s1-dirty\0', undefined],
    [
      'a release over the edge of what is read at once',
      `${'x'.repeat((1 << 20) - 64 - 5)}v1.32.5+k3s1`,
      /v1\.32\.5/,
    ],
  ])('looks into a program of another computer that names %s', async (_what, text, message) => {
    const attempt = check(elf('arm', text))
    if (message) await expect(attempt).rejects.toMatchObject({ message: expect.stringMatching(message) })
    else await attempt
  })
})

it('runs only what a kernel loads: a shell would take anything else for commands', () => {
  const head = elf('amd64')
  expect(isLoadable(head)).toBe(false)
  head.writeUInt16LE(2, 16)
  head.writeUInt16LE(56, 54)
  head.writeUInt16LE(9, 56)
  expect(isLoadable(head)).toBe(true)
})
