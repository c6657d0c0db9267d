import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { PutRequest } from '../machine.js'
import { isHopeless, putError, putScript } from './put-file.js'

const shells = [['/usr/bin/dash'], ['/bin/bash', '--posix'], ['/bin/busybox', 'sh']].filter(([path]) =>
  existsSync(path ?? ''),
)
let dir = ''

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'put-'))
})
afterEach(() => rmSync(dir, { recursive: true, force: true }))

function request(content: Buffer, over: Partial<PutRequest> = {}): PutRequest {
  return {
    path: join(dir, "it's a file"),
    open: () => {
      throw new Error('not used')
    },
    sizeBytes: content.length,
    sha256: createHash('sha256').update(content).digest('hex'),
    mode: '0640',
    ...over,
  }
}

function receive(shell: readonly string[], wanted: PutRequest, input: Buffer) {
  const [program = '', ...args] = shell
  const result = spawnSync(program, [...args, '-c', putScript(wanted)], { input, encoding: 'utf8' })
  const outcome = { exitCode: result.status ?? -1, stdout: result.stdout, stderr: result.stderr }
  return { outcome, error: putError(wanted, outcome, 'web1') }
}

describe.each(shells)('the upload script under %s', (...shell) => {
  const small = Buffer.from('hello\n\0world')
  const large = Buffer.alloc(9 << 20, 'airlift')

  it.each([
    ['small', small],
    ['large', large],
    ['empty', Buffer.alloc(0)],
  ])('puts a %s file in place with its mode', (_name, content) => {
    const wanted = request(content)
    expect(receive(shell, wanted, content).error).toBeUndefined()
    expect(readFileSync(wanted.path).equals(content)).toBe(true)
    expect(statSync(wanted.path).mode & 0o777).toBe(0o640)
    expect(readdirSync(dir)).toEqual(["it's a file"])
  })

  it('does not take a digest for a failure', () => {
    // Its sha256 holds the letters "bad".
    const content = Buffer.from(
      Array.from({ length: 10_000 }, (_, i) => String(i)).find((each) =>
        createHash('sha256').update(each).digest('hex').includes('bad'),
      ) ?? '',
    )
    expect(receive(shell, request(content), content).error).toBeUndefined()
  })

  it('makes the directory', () => {
    const wanted = request(small, { path: join(dir, 'a', 'b', 'file') })
    expect(receive(shell, wanted, small).error).toBeUndefined()
    expect(existsSync(wanted.path)).toBe(true)
  })

  it('leaves nothing of a file that arrives cut', () => {
    const { error } = receive(shell, request(large), large.subarray(0, 5 << 20))
    expect(error?.code).toBe('E_DIGEST_MISMATCH')
    expect(error?.message).toContain(`${5 << 20} bytes of ${9 << 20}`)
    expect(readdirSync(dir)).toEqual([])
  })

  it('refuses other content and keeps the file that was there', () => {
    const wanted = request(small)
    receive(shell, wanted, small)
    const { error } = receive(shell, wanted, Buffer.from('HELLO\n\0world'))
    expect(error?.code).toBe('E_DIGEST_MISMATCH')
    expect(error?.message).toContain(wanted.sha256)
    expect(readFileSync(wanted.path).equals(small)).toBe(true)
    expect(readdirSync(dir)).toEqual(["it's a file"])
  })

  it('does not move a file into a directory of its name', () => {
    const wanted = request(small)
    mkdirSync(wanted.path)
    expect(receive(shell, wanted, small).error?.message).toMatch(/it is a directory/)
    expect(readdirSync(wanted.path)).toEqual([])
  })

  it('says that the disk is full', () => {
    // /dev/full takes nothing: the temporary file is put there by a directory that is a link into /dev.
    const wanted = request(large)
    const script = putScript(wanted)
      .replaceAll(/t=('[^']*'(?:\\''[^']*')*|\S+)/g, 't=/dev/full')
      .replace("trap 'rm -f", "trap 'true")
    const [program = '', ...args] = shell
    const result = spawnSync(program, [...args, '-c', script], { input: large, encoding: 'utf8' })
    const error = putError(
      wanted,
      { exitCode: result.status ?? -1, stdout: result.stdout, stderr: result.stderr },
      'web1',
    )
    expect(error?.code).toBe('E_DISK_FULL')
    expect(error?.message).toMatch(/no room for .*\(9 MiB\) on .*, of which \d+ MiB are free/)
    expect(error?.data?.freeBytes).toBeTypeOf('number')
  })
})

describe('putError', () => {
  const wanted = { ...request(Buffer.alloc(0)), path: '/usr/local/bin/k3s' }
  const failed = (stderr: string, exitCode = 71) => putError(wanted, { exitCode, stdout: '', stderr }, 'web1')

  it('knows a read-only file system', () => {
    const error = failed('sh: cannot create /usr/local/bin/.k3s: Read-only file system')
    expect(error?.code).toBe('E_READ_ONLY')
    expect(error?.message).toContain('/usr/local/bin/k3s')
  })

  it('knows a lack of permission', () => {
    expect(failed('sh: 1: cannot create /x: Permission denied')?.message).toMatch(/permission denied/)
  })

  it('knows a machine without any hash', () => {
    expect(failed('', 76)?.message).toMatch(/no sha256sum/)
  })

  it('stops an upload that has no hope', () => {
    expect(isHopeless('tee: /x: No space left on device')).toBe(true)
    expect(isHopeless('warning: something')).toBe(false)
  })
})
