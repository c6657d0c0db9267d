import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Context, createContext } from '../../core/context.js'
import { AirliftError } from '../../core/errors.js'
import { Secret } from '../../core/secret.js'
import { createFakeMachine } from '../../machine/fake/fake-machine.js'
import { createLocalMachine } from '../../machine/local/local-machine.js'
import { collectSections, machineSecrets } from './collect-machine.js'
import { MAX_BYTES, machineSections, type Section } from './sections.js'
import { beginTree, type Tree } from './write-tree.js'

let dir: string
let ctx: Context
let tree: Tree
beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'airlift-logs-test-'))
  ctx = createContext({ env: { XDG_STATE_HOME: join(dir, 'state') } })
  tree = await beginTree(join(dir, 'out'), ctx)
})
afterEach(async () => {
  await tree[Symbol.asyncDispose]()
  rmSync(dir, { recursive: true, force: true })
})
const section = (file: string, script: string, kind: Section['kind'] = 'text'): Section => ({
  file,
  script,
  kind,
})
const local = () => createLocalMachine({ mode: 'never' }, ctx)
const read = (path: string): string => readFileSync(join(dir, 'out', path), 'utf8')

describe('what is collected of a machine', () => {
  it('is written file by file, without secrets, for nobody else to read', async () => {
    const found = await collectSections(
      [
        section('config.yaml', "printf 'token: s3cr3t-one\\ndisable: [traefik]\\n'", 'config'),
        section('k3s.log', 'echo the token is s3cr3t-one and s3cr3t-two; echo on stderr >&2; exit 3'),
      ],
      'machines/bare1',
      local(),
      [new Secret('s3cr3t-two')],
      tree,
      ctx,
    )
    await tree.finish()
    expect(found).toMatchObject({ files: 2, cut: [] })
    expect(read('machines/bare1/config.yaml')).toBe('token: [secret]\ndisable:\n  - traefik\n')
    // What the configuration held is taken out of what comes after it, too.
    expect(read('machines/bare1/k3s.log')).toBe('the token is [secret] and [secret]\non stderr\n')
    expect(statSync(join(dir, 'out/machines/bare1/k3s.log')).mode & 0o777).toBe(0o600)
  })

  it('is cut to its newest part where it is too long, and says so', async () => {
    const script = `yes 0123456789abcde | head -c ${MAX_BYTES + 100_000}; echo the last line`
    const found = await collectSections([section('big.log', script)], 'm', local(), [], tree, ctx)
    await tree.finish()
    expect(found.cut).toEqual(['m/big.log'])
    const text = read('m/big.log')
    expect(text.length).toBeLessThan(MAX_BYTES + 100)
    expect(text.startsWith('[cut: only the newest part is here]\n0123456789abcde\n')).toBe(true)
    expect(text.endsWith('the last line\n')).toBe(true)
  })

  it('is what came before the machine was lost, with the reason', async () => {
    const lost = new AirliftError('E_SSH_LOST', 'the connection was lost', { hint: 'look at its cable' })
    const machine = createFakeMachine({
      on: [
        { match: 'first', reply: 'one\n' },
        { match: 'second', reply: lost },
      ],
    })
    const sections = ['first', 'second', 'third'].map((name) => section(name, name))
    const found = await collectSections(sections, 'm', machine, [], tree, ctx)
    expect(found).toMatchObject({ files: 1, error: { code: 'E_SSH_LOST', hint: 'look at its cable' } })
    expect(machine.scripts).toHaveLength(2)
  })

  it('goes on after a command that hangs', async () => {
    const machine = createFakeMachine({
      on: [
        { match: 'hangs', reply: new AirliftError('E_TIMEOUT', 'no end after 120 s') },
        { match: 'works', reply: 'fine\n' },
      ],
    })
    const found = await collectSections(
      [section('a', 'hangs'), section('b', 'works')],
      'm',
      machine,
      [],
      tree,
      ctx,
    )
    await tree.finish()
    expect(found.error).toBeUndefined()
    expect([read('m/a'), read('m/b')]).toEqual(['no end after 120 s\n', 'fine\n'])
  })

  it('knows the parts of tokens', async () => {
    const machine = createFakeMachine({
      on: [{ match: 'server/token', reply: `K10${'a'.repeat(64)}::server:plain-part\n"quoted-one"\n` }],
    })
    const values = (await machineSecrets(machine, ctx)).map((secret) => secret.reveal())
    expect(values).toContain('plain-part')
    expect(values).toContain('quoted-one')
  })

  it('comes from scripts that every machine can run', async () => {
    const found = await collectSections(machineSections('worker'), 'm', local(), [], tree, ctx)
    expect(found.error).toBeUndefined()
    expect(found.files).toBe(machineSections('worker').length)
  })
})

describe('where it goes', () => {
  it.each(['logs.tar', 'logs.tar.gz', 'logs.tgz'])('is an archive for %s', async (name) => {
    await using archive = await beginTree(join(dir, name), ctx)
    await archive.write('a/b.txt', 'text')
    const { path, bytes } = await archive.finish()
    expect(statSync(path).size).toBe(bytes)
    const { list } = await import('tar')
    const names: string[] = []
    await list({ file: path, onReadEntry: (entry) => names.push(entry.path) })
    expect(names).toContain('logs/a/b.txt')
  })

  it('is nothing when it was not finished', async () => {
    await tree.write('a', 'text')
    await tree[Symbol.asyncDispose]()
    expect(readdirSync(dir).filter((name) => name !== 'state')).toEqual([])
  })

  it('refuses a directory that holds something', async () => {
    await tree.write('a', 'text')
    await tree.finish()
    await expect(beginTree(join(dir, 'out'), ctx)).rejects.toMatchObject({
      code: 'E_LOCAL_FILE',
      message: expect.stringContaining('is not empty'),
    })
  })
})
