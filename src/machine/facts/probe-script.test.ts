import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { lockScript } from '../lock-script.js'
import { SHELLS } from '../shells.fixture.js'
import { STATE_DIR } from '../state-paths.js'
import type { Facts } from './facts.js'
import { parseFacts } from './parse-facts.js'
import { parseManaged } from './parse-managed.js'
import { readProbeOutput } from './probe-output.js'
import { buildManagedProbe, buildProbeScript, DEFAULT_PATHS, type ProbeOptions } from './probe-script.js'

let dir = ''
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'airlift-probe-'))
  writeFileSync(join(dir, "it's a file"), 'content\n')
  chmodSync(join(dir, "it's a file"), 0o640)
  writeFileSync(join(dir, 'big'), Buffer.alloc(2 * 1024 * 1024))
})
afterAll(() => rmSync(dir, { recursive: true, force: true }))

function options(): ProbeOptions {
  return {
    paths: [dir, join(dir, 'not', 'yet', 'there'), '/proc/sys'],
    files: [join(dir, "it's a file"), join(dir, 'big'), join(dir, 'absent')],
    units: ['k3s'],
    routeTo: ['no-such-name.invalid', '127.0.0.1'],
    fragments: {
      plain: 'printf "two\\nlines"',
      stdin: 'cat; echo done',
      fails: 'echo before; exit 3',
      facts: 'printf "hostname\\tevil\\nend\\tok\\n"',
    },
  }
}

function probe(shell: readonly string[], script: string): string {
  const [program = '', ...rest] = shell
  return execFileSync(program, rest, {
    input: script,
    encoding: 'utf8',
    timeout: 30_000,
    stdio: ['pipe', 'pipe', 'pipe'],
  })
}

/** Without what moves while the tests run, and without what only says which programs busybox brings along. */
function steady(facts: Facts): unknown {
  const {
    memoryAvailableBytes: _m,
    clockErrorMs: _e,
    clockSkewMs: _s,
    tools: _t,
    timeSynchronized: _y,
    ...rest
  } = facts
  return {
    ...rest,
    filesystems: facts.filesystems.map(({ freeBytes: _b, freeInodes: _i, ...fs }) => fs),
    listeners: facts.listeners.filter((entry) => entry.port < 1024),
    addresses: facts.addresses.filter((entry) => !/^(veth|br-)/.test(entry.device)),
    routes: facts.routes?.filter((entry) => !/^(veth|br-)/.test(entry.device)),
    mtus: { lo: facts.mtus?.lo },
  }
}

describe('the probe', { timeout: 60_000 }, () => {
  it('is tried under all three shells here', () => {
    if (process.env.CI) expect(SHELLS).toHaveLength(3)
    expect(SHELLS.length).toBeGreaterThan(0)
  })

  it('gives equal facts under every shell', () => {
    const script = buildProbeScript(options())
    const all = SHELLS.map((shell) => {
      const before = Date.now()
      return parseFacts(probe(shell, script), options(), { before, after: Date.now() })
    })
    for (const facts of all) expect(steady(facts)).toEqual(steady(all[0] as Facts))
    for (const facts of all) {
      if (facts.tools.ip) expect(facts.routeSource).toMatchObject({ to: '127.0.0.1', address: '127.0.0.1' })
      expect(Math.abs(facts.clockSkewMs)).toBeLessThan(Math.max(5000, facts.clockErrorMs + 1000))
      expect(facts.hostname).not.toBe('evil')
      expect(facts.mtus?.lo).toBeGreaterThan(1000)
    }
  })

  it.each(SHELLS.map((shell) => [shell.join(' '), shell] as const))(
    'tells who works on the machine, and that it is over when the connection ends, under %s',
    (_name, shell) => {
      const state = mkdtempSync(join(tmpdir(), 'airlift-state-'))
      const here = (script: string): string => script.replaceAll(STATE_DIR, state)
      const lockOf = (): unknown =>
        parseFacts(probe(shell, here(buildProbeScript())), {}, { before: 0, after: 0 }).managed.lock
      expect(lockOf()).toBeUndefined()
      const owner = { id: 'a1', who: 'ann@laptop', operation: 'run', since: '2026-01-01T00:00:00Z' }
      probe(shell, here(lockScript(owner, { pid: process.pid })))
      expect(lockOf()).toEqual({ ...owner, held: true })
      writeFileSync(join(state, 'lock'), `a1\n${process.pid} 1 0\nann@laptop\n2026-01-01T00:00:00Z\nrun\n`)
      expect(lockOf()).toEqual({ ...owner, held: false })
      rmSync(state, { recursive: true })
    },
  )

  it.each(SHELLS.map((shell) => [shell.join(' '), shell] as const))(
    'looks at files, paths and fragments under %s',
    (_name, shell) => {
      const facts = parseFacts(probe(shell, buildProbeScript(options())), options(), { before: 0, after: 0 })
      expect(facts.managed.files).toEqual([
        {
          path: join(dir, "it's a file"),
          sha256: createHash('sha256').update('content\n').digest('hex'),
          mode: '0640',
          sizeBytes: 8,
          inode: expect.any(Number),
        },
        {
          path: join(dir, 'big'),
          mode: expect.any(String),
          sizeBytes: 2 * 1024 * 1024,
          inode: expect.any(Number),
        },
      ])
      expect(facts.filesystems.map((fs) => [fs.path, fs.writable])).toEqual([
        [dir, true],
        [join(dir, 'not', 'yet', 'there'), true],
        ['/proc/sys', false],
      ])
      expect(facts.managed.fragments).toEqual({
        plain: 'two\nlines',
        stdin: 'done\n',
        fails: 'before\n',
        facts: 'hostname\tevil\nend\tok\n',
      })
      expect(readdirSync(dir).sort()).toEqual(['big', "it's a file"])
    },
  )

  it.each(SHELLS.map((shell) => [shell.join(' '), shell] as const))(
    'is not held up by a fragment that hangs, nor by its children, under %s',
    (_name, shell) => {
      const started = Date.now()
      const asked = {
        fragments: { hangs: 'echo early; sleep 20 & sleep 20; echo late', after: 'echo here' },
        fragmentSeconds: 1,
      }
      const facts = parseFacts(probe(shell, buildProbeScript(asked)), {}, { before: 0, after: 0 })
      expect(Date.now() - started).toBeLessThan(18_000)
      expect(facts.managed.fragments).toEqual({ hangs: 'early\n', after: 'here\n' })
    },
  )

  it('finds its way through /proc where tools are missing', () => {
    const bin = join(dir, '..', `${dir.split('/').at(-1)}-bin`)
    mkdirSync(bin)
    try {
      for (const tool of [
        'sh',
        'cat',
        'grep',
        'sed',
        'head',
        'od',
        'df',
        'ls',
        'uname',
        'date',
        'tr',
        'rm',
        'sort',
        'env',
      ]) {
        symlinkSync(
          execFileSync('sh', ['-c', `command -v ${tool}`], { encoding: 'utf8' }).trim(),
          join(bin, tool),
        )
      }
      const script = buildProbeScript({ fragments: { hello: 'echo hello' } })
      const poor = script.replace(/^PATH=.*$/m, `PATH=${bin}; export PATH`)
      expect(poor).not.toBe(script)
      const read = (text: string): Facts =>
        parseFacts(probe(SHELLS[0] ?? ['sh'], text), {}, { before: 0, after: 0 })
      const [facts, full] = [read(poor), read(script)]
      expect(facts.tools.ip).toBe(false)
      for (const key of [
        'hostname',
        'os',
        'kernel',
        'bits',
        'cpus',
        'memoryBytes',
        'cgroups',
        'modules',
      ] as const)
        expect(facts[key], key).toEqual(full[key])
      expect(facts.managed.fragments).toEqual({ hello: 'hello\n' })
    } finally {
      rmSync(bin, { recursive: true, force: true })
    }
  })

  it('tells of what airlift has the same without the rest', () => {
    const asked = options()
    const whole = parseFacts(probe(SHELLS[0] ?? ['sh'], buildProbeScript(asked)), asked, {
      before: 0,
      after: 0,
    })
    const output = probe(SHELLS[0] ?? ['sh'], buildManagedProbe(asked))
    expect(parseManaged(readProbeOutput(output), asked)).toEqual(whole.managed)
    expect(readProbeOutput(output).values.has('hostname')).toBe(false)
  })

  // Each costs the machine about a millisecond, at every command that looks at it.
  it('starts few programs', () => {
    const bin = mkdtempSync(join(tmpdir(), 'airlift-counted-'))
    try {
      for (const tool of new Set(
        ['/usr/sbin', '/usr/bin', '/sbin', '/bin'].flatMap((path) => readdirSync(path)),
      )) {
        if (/^[a-z][a-z0-9-]*$/.test(tool) && !/^(sh|dash|bash|busybox)$/.test(tool))
          symlinkSync('.counted', join(bin, tool))
      }
      const counted = `#!/bin/sh\necho "\${0##*/}" >>${bin}/.log\nPATH=\${PATH#*:}\nexec "\${0##*/}" "$@"\n`
      writeFileSync(join(bin, '.counted'), counted, { mode: 0o755 })
      const asked = { ...options(), paths: [...DEFAULT_PATHS], fragments: options().fragments ?? {} }
      const script = buildProbeScript(asked).replace(/^PATH=\$PATH/m, `PATH=${bin}:$PATH`)
      parseFacts(probe(SHELLS[0] ?? ['sh'], script), asked, { before: 0, after: 0 })
      const programs = readFileSync(join(bin, '.log'), 'utf8').trim().split('\n')
      expect(programs.length).toBeGreaterThan(20)
      expect(programs.length, programs.join(' ')).toBeLessThan(90)
    } finally {
      rmSync(bin, { recursive: true })
    }
  })

  it('refuses paths and names that could not be put into a script', () => {
    expect(() => buildProbeScript({ paths: ['relative'] })).toThrow(/absolute/)
    expect(() => buildProbeScript({ files: ['/a\nb'] })).toThrow(/absolute/)
    expect(() => buildProbeScript({ fragments: { 'a b': 'true' } })).toThrow(/called/)
  })

  it('cannot be broken out of by a fragment’s text', () => {
    const asked = {
      fragments: { odd: 'cat <<AIRLIFT_FRAGMENT_0\nhi\nAIRLIFT_FRAGMENT_0\necho end' },
    }
    const facts = parseFacts(
      probe(SHELLS[0] ?? ['sh'], buildProbeScript(asked)),
      {},
      {
        before: 0,
        after: 0,
      },
    )
    expect(facts.managed.fragments.odd).toBe('hi\nend\n')
  })
})
