import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { createFakeMachine } from './fake-machine.js'

const put = (content: string) => ({
  path: '/f',
  open: () => Readable.from([Buffer.from(content)]),
  sizeBytes: content.length,
  sha256: createHash('sha256').update(content).digest('hex'),
  mode: '0600',
})

describe('createFakeMachine', () => {
  it('answers what it expects', async () => {
    const machine = createFakeMachine({
      on: [
        { match: 'uname', reply: 'Linux\n' },
        { match: /^exit (\d)/, fn: ({ script }) => ({ exitCode: Number(script.at(-1)) }) },
        { match: 'cat', fn: ({ stdin }) => stdin.toString().toUpperCase() },
      ],
    })
    expect(await machine.run('uname -s')).toEqual({ exitCode: 0, stdout: 'Linux\n', stderr: '' })
    expect((await machine.run('exit 3')).exitCode).toBe(3)
    expect((await machine.run('cat', { stdin: 'abc' })).stdout).toBe('ABC')
    expect(machine.scripts).toEqual(['uname -s', 'exit 3', 'cat'])
    expect(machine.stats).toEqual({ roundTrips: 3, bytesSent: 3 })
    machine.verify()
  })

  it('fails the test on an unexpected script, also when the error was swallowed', async () => {
    const machine = createFakeMachine({ name: 'web1' })
    await expect(machine.run('rm -rf /')).rejects.toThrow('unexpected script on web1')
    expect(() => machine.verify()).toThrow('rm -rf /')
  })

  it('answers in turn', async () => {
    const machine = createFakeMachine({
      on: [
        { match: 'state', reply: 'starting', times: 1 },
        { match: 'state', reply: 'ready' },
      ],
    })
    expect([(await machine.run('state')).stdout, (await machine.run('state')).stdout]).toEqual([
      'starting',
      'ready',
    ])
  })

  it('keeps files and checks their digest', async () => {
    const machine = createFakeMachine()
    await machine.put(put('hello'))
    expect(machine.files.get('/f')?.content.toString()).toBe('hello')
    await expect(machine.put({ ...put('hello'), sha256: 'x' })).rejects.toMatchObject({
      code: 'E_DIGEST_MISMATCH',
    })
  })

  it('loses the connection on demand, and repeats only what may be repeated', async () => {
    const machine = createFakeMachine({ on: [{ match: 'x', reply: 'ok' }] })
    machine.loseConnection()
    await expect(machine.run('x')).rejects.toMatchObject({ code: 'E_SSH_LOST' })
    machine.loseConnection()
    expect((await machine.run('x', { idempotent: true })).stdout).toBe('ok')
    machine.loseConnection(2)
    await expect(machine.run('x', { idempotent: true })).rejects.toMatchObject({ code: 'E_SSH_LOST' })
  })

  it('gives whole lines and heeds the signal', async () => {
    const machine = createFakeMachine({ on: [{ match: 'x', reply: 'a\nb\n' }] })
    const lines: string[] = []
    await machine.run('x', { onLine: (line) => lines.push(line) })
    expect(lines).toEqual(['a', 'b'])
    await expect(machine.run('x', { signal: AbortSignal.abort() })).rejects.toMatchObject({
      code: 'E_INTERRUPTED',
    })
  })
})
