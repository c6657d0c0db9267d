import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, expect, it } from 'vitest'

const bin = fileURLToPath(new URL('../../bin/airlift.js', import.meta.url))
const built = existsSync(fileURLToPath(new URL('../../dist/bin/main.cjs', import.meta.url)))
const home = mkdtempSync(join(tmpdir(), 'airlift-signal-'))
afterAll(() => rmSync(home, { recursive: true, force: true }))

it.skipIf(!built)('a signal while the program is being loaded is told as any interruption', async () => {
  // Sent to itself when the first file of the command line is looked for, as a hand at the keyboard cannot do reliably.
  const hook = join(home, 'hook.cjs')
  writeFileSync(
    hook,
    `const fs = require('node:fs')
const { existsSync } = fs
fs.existsSync = (path) => {
  if (String(path).endsWith('main.cjs')) process.kill(process.pid, 'SIGINT')
  return existsSync(path)
}
require('node:module').syncBuiltinESMExports()`,
  )
  const argv = ['--require', hook, bin, 'list', '-o', 'json']
  const child = spawn(process.execPath, argv, {
    env: { ...process.env, HOME: home, DOCKER_HOST: 'unix:///none' },
  })
  let stdout = ''
  child.stdout.on('data', (chunk: Buffer) => {
    stdout += chunk.toString()
  })
  const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null]
  expect({ code, signal }).toEqual({ code: 130, signal: null })
  expect(JSON.parse(stdout)).toMatchObject({ error: { code: 'E_INTERRUPTED' } })
})
