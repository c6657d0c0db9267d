import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { startOwnSshd } from './own-sshd.js'
import { kinds, ownSuite, root } from './own-suite.js'
import { reachOwn } from './reach.js'

const own = ownSuite()

describe.runIf(root).each(kinds)('noise over %s', (transport) => {
  it('from banners and shell start-up files is no part of any output', async () => {
    const noise = mkdtempSync(join(tmpdir(), 'noise-'))
    writeFileSync(join(noise, 'banner'), 'AUTHORIZED USE ONLY\n')
    writeFileSync(
      join(noise, 'env'),
      'echo "hello from bashrc"; echo "warning from bashrc" >&2; printf "no newline"\n',
    )
    const noisy = await startOwnSshd([`Banner ${noise}/banner`, `SetEnv BASH_ENV=${noise}/env`])
    try {
      const machine = await reachOwn(noisy, { flags: { transport } })
      expect(await machine.run('echo out; echo err >&2')).toEqual({
        exitCode: 0,
        stdout: 'out\n',
        stderr: 'err\n',
      })
      await machine.close()
    } finally {
      await noisy.stop()
      rmSync(noise, { recursive: true, force: true })
    }
  })

  it('says when the login shell does not start one', async () => {
    const forced = await startOwnSshd(['ForceCommand /usr/sbin/nologin'])
    try {
      const machine = await reachOwn(forced, { flags: { transport } })
      await expect(machine.run('true')).rejects.toMatchObject({
        code: 'E_COMMAND',
        message: expect.stringContaining('did not start /bin/sh'),
        log: expect.arrayContaining([expect.stringContaining('not available')]),
      })
      await machine.close()
    } finally {
      await forced.stop()
    }
  })
})

describe.runIf(root).each(kinds)('an interactive command over %s', (transport) => {
  it('has the stdin, stdout and exit code of the process that asked', () => {
    const fixture = fileURLToPath(new URL('interact-fixture.ts', import.meta.url))
    const command = 'read -r line; echo "got $line"; echo problem >&2; exit 9'
    const result = spawnSync(
      process.execPath,
      ['--import', 'tsx', fixture, String(own.sshd.port), own.sshd.identity, transport, command],
      { input: 'a line\n', encoding: 'utf8' },
    )
    expect({ status: result.status, stdout: result.stdout }).toEqual({ status: 9, stdout: 'got a line\n' })
    expect(result.stderr).toContain('problem')
  })
})
