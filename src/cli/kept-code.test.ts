import { execFileSync } from 'node:child_process'
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import module from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, expect, it } from 'vitest'

const bin = fileURLToPath(new URL('../../bin/airlift.js', import.meta.url))
const built = existsSync(fileURLToPath(new URL('../../dist/bin/main.cjs', import.meta.url)))
const home = mkdtempSync(join(tmpdir(), 'airlift-code-'))
afterAll(() => rmSync(home, { recursive: true, force: true }))

function run(command: string, base = home): string {
  const env = { ...process.env, XDG_CACHE_HOME: base }
  return execFileSync(process.execPath, [bin, command], { encoding: 'utf8', env })
}

// From 22.8 on node keeps the code itself.
it.skipIf(!built || 'enableCompileCache' in module)(
  'keeps compiled code, and takes only its own',
  () => {
    const file = join(home, 'airlift', 'code')
    const commands = (): string[] => JSON.parse(readFileSync(file, 'latin1').split('\n')[0] ?? '').commands
    const first = run('version')
    expect([statSync(file).mode & 0o777, commands()]).toEqual([0o600, ['version']])
    const made = statSync(file).mtimeMs
    expect(run('version')).toBe(first)
    expect(statSync(file).mtimeMs).toBe(made)
    run('help')
    expect(commands()).toEqual(['version', 'help'])
    // One that others may write is code of others; one that was cut or is of another build says nothing.
    chmodSync(file, 0o666)
    expect([run('version'), commands()]).toEqual([first, ['version']])
    const whole = readFileSync(file)
    for (const broken of [whole.subarray(0, whole.length / 2), whole.subarray(0, 20), Buffer.from('x\n')]) {
      writeFileSync(file, broken)
      expect([run('version'), commands()]).toEqual([first, ['version']])
    }
    expect(run('version', join(home, 'nobody', '.cache'))).toBe(first)
    expect(existsSync(join(home, 'nobody'))).toBe(false)
  },
  // Ten programs, one after the other.
  60_000,
)
