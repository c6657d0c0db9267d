import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Secret } from '../core/secret.js'
import { compileActions } from './compile.js'
import type { Action } from './plan.js'

const shells = [['dash'], ['bash', '--posix'], ['busybox', 'sh']].filter(
  ([name]) =>
    spawnSync(name ?? '', ['-c', ':']).status === 0 ||
    (name === 'busybox' && spawnSync('busybox', ['true']).status === 0),
)

let dir: string
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'airlift-compile-'))
})
afterEach(() => {
  rmSync(dir, { recursive: true, force: true })
})

function runIn(
  shell: readonly string[],
  actions: readonly Action[],
  secrets: ReadonlyMap<string, Secret> = new Map(),
) {
  const [command = 'sh', ...args] = shell
  return spawnSync(command, [...args, '-s'], { input: compileActions(actions, secrets), encoding: 'utf8' })
}

describe.each(shells.map((shell) => [shell.join(' '), shell] as const))(
  'compiled scripts under %s',
  (_, shell) => {
    it('write any content with its mode, and fill in secrets', () => {
      const path = join(dir, 'deep', "it's here")
      const result = runIn(
        shell,
        [{ kind: 'write', path, mode: '0640', content: "a 'b' $c `d`\n{{secret:token}}\n" }],
        new Map([['token', new Secret('s3cr"et')]]),
      )
      expect(result.stderr).toBe('')
      expect(readFileSync(path, 'utf8')).toBe("a 'b' $c `d`\ns3cr\"et\n")
      expect(statSync(path).mode & 0o777).toBe(0o640)
      expect(existsSync(`${path}.airlift-tmp`)).toBe(false)
    })

    it('leave a file that is right already untouched', () => {
      const path = join(dir, 'same')
      writeFileSync(path, 'same\n', { mode: 0o600 })
      const before = statSync(path)
      runIn(shell, [{ kind: 'write', path, mode: '0644', content: 'same\n' }])
      const after = statSync(path)
      expect([after.ino, after.mtimeMs, after.mode & 0o777]).toEqual([before.ino, before.mtimeMs, 0o644])
    })

    it('write bytes that are no text', () => {
      const bytes = Buffer.from([0, 1, 2, 255, 10, 0])
      const path = join(dir, 'bytes')
      runIn(shell, [{ kind: 'write', path, mode: '0600', content: bytes.toString('base64'), base64: true }])
      expect(createHash('sha256').update(readFileSync(path)).digest('hex')).toBe(
        createHash('sha256').update(bytes).digest('hex'),
      )
    })

    it('stop at the first failure and say which action it was', () => {
      const result = runIn(shell, [
        { kind: 'script', script: 'true' },
        { kind: 'script', script: 'echo broken >&2; exit 3' },
        { kind: 'write', path: join(dir, 'never'), mode: '0600', content: 'x' },
      ])
      expect(result.status).toBe(3)
      expect(result.stdout.trim().split('\n').at(-1)).toBe('@@action 1')
      expect(existsSync(join(dir, 'never'))).toBe(false)
    })

    it('name a path that cannot be written', () => {
      writeFileSync(join(dir, 'file'), '')
      const result = runIn(shell, [
        { kind: 'write', path: join(dir, 'file', 'below'), mode: '0600', content: 'x' },
      ])
      expect(result.status).toBe(1)
      expect(result.stdout).toMatch(/@@fail E_\w+ cannot write .*below/)
    })

    it('wait until a condition holds', () => {
      const flag = join(dir, 'flag')
      const result = runIn(shell, [
        { kind: 'script', script: `( sleep 0.3; : > '${flag}' ) > /dev/null 2>&1 &` },
        {
          kind: 'wait',
          what: 'the flag',
          script: `[ -e '${flag}' ]`,
          timeoutMs: 5000,
          diagnose: 'echo never',
        },
      ])
      expect(result.status).toBe(0)
    })

    it('report a timeout with what it waited for and the diagnosis', () => {
      const result = runIn(shell, [
        {
          kind: 'wait',
          what: 'nothing',
          script: 'exit 1',
          timeoutMs: 1000,
          diagnose: 'echo first; echo second',
        },
      ])
      expect(result.status).toBe(1)
      expect(result.stdout).toContain('@@log first\n@@log second\n')
      expect(result.stdout).toMatch(/@@fail E_TIMEOUT not done after 1 s: nothing/)
      expect(result.stdout).toMatch(/@@hint run the same command again.*--timeout/)
    })

    it('report a timeout with the cause that its script knows by then', () => {
      const script = `[ -z "\${late:-}" ] || { printf '@@log the disk\\n@@fail E_DISK_FULL the disk is full\\n@@hint free some\\n'; exit 11; }; exit 1`
      const result = runIn(shell, [
        { kind: 'wait', what: 'the node', script, timeoutMs: 1000, diagnose: 'echo more' },
      ])
      expect(result.stdout).toContain('@@log the disk\n@@log more\n')
      expect(result.stdout).toContain('@@fail E_TIMEOUT not done after 1 s: the node: the disk is full\n')
      expect(result.stdout).toContain('@@hint free some\n')
    })

    it('end a wait at once when its script knows that it is hopeless', () => {
      const started = Date.now()
      const result = runIn(shell, [
        {
          kind: 'wait',
          what: 'x',
          script: `printf '@@fail E_JOIN no such token\\n@@hint look\\n'; exit 11`,
          timeoutMs: 60_000,
          diagnose: '',
        },
      ])
      expect(result.stdout).toContain('@@fail E_JOIN no such token\n@@hint look\n')
      expect(Date.now() - started).toBeLessThan(30_000)
    })

    it('recover once, and only once', () => {
      const log = join(dir, 'log')
      const result = runIn(shell, [
        {
          kind: 'wait',
          what: 'x',
          script: `[ -e '${dir}/good' ]`,
          timeoutMs: 3000,
          diagnose: '',
          recover: {
            when: 'true',
            script: `echo recovered >> '${log}'; : > '${dir}/good'`,
            title: 'begin anew',
          },
        },
      ])
      expect(result.status).toBe(0)
      expect(result.stdout).toContain('@@note begin anew\n')
      expect(readFileSync(log, 'utf8')).toBe('recovered\n')
    })

    it('never remove through a mount', () => {
      const result = runIn(shell, [{ kind: 'remove', paths: ['/proc'] }])
      expect(result.status).toBe(1)
      expect(result.stdout).toContain('@@fail E_MOUNT /proc holds a mount')
    })
  },
)

it('refuses a secret that nobody gave', () => {
  expect(() => compileActions([{ kind: 'script', script: 'echo {{secret:nope}}' }], new Map())).toThrow(
    '"nope"',
  )
})
