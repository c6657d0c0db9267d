import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { NodeSpec } from '../cluster/spec.js'
import { plainSsh } from '../cluster/ssh.fixture.js'
import { createContext } from '../core/context.js'
import { AirliftError } from '../core/errors.js'
import { createLocalMachine } from '../machine/local/local-machine.js'
import type { Machine } from '../machine/machine.js'
import { connectInOrder } from './connect-in-order.fixture.js'
import { type CopyResult, copy } from './copy.js'
import { openCopySource } from './copy-source.js'

let dir: string
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'airlift-copy-'))
})
afterEach(() => rmSync(dir, { recursive: true, force: true }))

/** The local machine, as the user who runs the test: uploads go through a real shell. */
const local = (): Machine => createLocalMachine({ mode: 'never' }, createContext())
const put = (source: string, to: string, ...machines: (Machine | AirliftError)[]): Promise<CopyResult> => {
  const nodes = machines.map((_, index): NodeSpec => {
    const host = `h${index}`
    return { target: { kind: 'ssh', text: host, host }, role: 'master', labels: {}, taints: [] }
  })
  return copy(
    {
      selection: { cluster: { name: 'prod', masters: nodes, nodes: [], ssh: plainSsh }, roles: [], on: [] },
      source,
      target: to,
    },
    createContext({ env: {} }),
    connectInOrder(...machines),
  )
}
const mode = (path: string): string => (statSync(path).mode & 0o7777).toString(8)

/** `never` elevates nowhere, so only root, for whom that is enough, can copy to its own machine. */
describe.skipIf(process.getuid?.() !== 0)('copy', () => {
  it('puts a file with its mode, under the name that is given', async () => {
    writeFileSync(join(dir, 'a.conf'), 'hello')
    chmodSync(join(dir, 'a.conf'), 0o640)
    const result = await put(join(dir, 'a.conf'), join(dir, 'new/b.conf'), local())
    expect(result).toMatchObject({ operation: 'copy', outcome: 'done', bytesSent: 5, name: 'prod' })
    expect(result.machines[0]).toMatchObject({ path: join(dir, 'new/b.conf'), error: null })
    expect(readFileSync(join(dir, 'new/b.conf'), 'utf8')).toBe('hello')
    expect(mode(join(dir, 'new/b.conf'))).toBe('640')
  })
  it('puts a file into a directory, where there is one or the slash says so', async () => {
    writeFileSync(join(dir, 'a.conf'), 'hello')
    mkdirSync(join(dir, 'there'))
    await put(join(dir, 'a.conf'), join(dir, 'there'), local())
    await put(join(dir, 'a.conf'), join(dir, 'not-yet/'), local())
    expect(existsSync(join(dir, 'there/a.conf'))).toBe(true)
    expect(existsSync(join(dir, 'not-yet/a.conf'))).toBe(true)
  })
  it('copies a directory with modes, links and long names, and adds to one that is there', async () => {
    const source = join(dir, 'source')
    const long = `${'n'.repeat(120)}/${'m'.repeat(120)}`
    mkdirSync(join(source, long), { recursive: true })
    writeFileSync(join(source, long, 'deep'), 'x')
    writeFileSync(join(source, 'run.sh'), '#!/bin/sh')
    chmodSync(join(source, 'run.sh'), 0o4775)
    chmodSync(source, 0o750)
    symlinkSync('run.sh', join(source, 'link'))
    const target = join(dir, 'target')
    expect((await put(source, `${target}/`, local())).machines[0]).toMatchObject({
      path: target,
      error: null,
    })
    expect(mode(target)).toBe('750')
    expect(mode(join(target, 'run.sh'))).toBe('4775')
    expect(readFileSync(join(target, long, 'deep'), 'utf8')).toBe('x')
    writeFileSync(join(target, 'mine'), 'stays')
    writeFileSync(join(source, 'run.sh'), 'changed')
    expect((await put(source, target, local())).outcome).toBe('done')
    expect(readFileSync(join(target, 'link'), 'utf8')).toBe('changed')
    expect(readFileSync(join(target, 'mine'), 'utf8')).toBe('stays')
    expect(readdirSync(dir).sort()).toEqual(['source', 'target'])
  })
  it('tells per machine what failed', async () => {
    writeFileSync(join(dir, 'a'), 'x')
    const lost = new AirliftError('E_SSH_UNREACHABLE', 'nobody there', { hint: 'switch it on' })
    const result = await put(join(dir, 'a'), join(dir, 'b'), local(), lost)
    expect(result.outcome).toBe('partial')
    expect(result.machines[1]).toMatchObject({ error: { code: 'E_SSH_UNREACHABLE', hint: 'switch it on' } })
  })
  it('refuses what it cannot copy, before it connects', async () => {
    await expect(put(join(dir, 'none'), '/x')).rejects.toMatchObject({ code: 'E_LOCAL_FILE' })
    await expect(put('/dev/null', '/x')).rejects.toMatchObject({ code: 'E_LOCAL_FILE' })
    await expect(put(dir, 'relative')).rejects.toMatchObject({ code: 'E_USAGE' })
  })
})

it('packs a directory into the same bytes each time, also after it was read', async () => {
  writeFileSync(join(dir, 'a'), 'x'.repeat(10_000))
  const first = await openCopySource(dir)
  readFileSync(join(dir, 'a'))
  const second = await openCopySource(dir)
  expect(second.put.sha256).toBe(first.put.sha256)
  expect(second.put.sizeBytes).toBe(first.put.sizeBytes)
})

it('refuses a directory with a pipe in it by its path, as packing that would never end', async () => {
  mkdirSync(join(dir, 'run'))
  execFileSync('mkfifo', [join(dir, 'run/a'), join(dir, 'run/b')])
  await expect(openCopySource(dir)).rejects.toMatchObject({
    code: 'E_LOCAL_FILE',
    message: expect.stringMatching(/\/run\/[ab]" is a socket, a pipe or a device, as another one is$/),
  })
})
