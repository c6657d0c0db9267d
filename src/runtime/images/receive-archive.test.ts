import { existsSync, writeFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { SHELLS } from '../../machine/shells.fixture.js'
import { receiverLab } from './receive-archive.fixture.js'

const { at, read, k3s, receive, archives } = receiverLab()

describe.each(SHELLS)('an archive that is put beside, under %s', (...shell) => {
  it('is imported once it is there, and has no name any more by then', async () => {
    k3s()
    const receiver = await receive(shell)
    const { path, ended } = receiver
    writeFileSync(path, 'the archive')
    receiver.arrived(path)
    const { code, stdout } = await ended
    expect([code, stdout.includes('@@failed')]).toEqual([0, false])
    expect(read('got')).toBe('the archive')
    expect(read('names')).toBe('')
    expect(read('threads')).toBe('1\n')
    expect(archives()).toEqual([])
  })

  it('is imported whole by a ctr that knows no --local', async () => {
    k3s(`echo 'flag provided but not defined: -local' >&2; exit 1;;\n*'images import -') cat >${at('got')}`)
    const receiver = await receive(shell)
    const { path, ended } = receiver
    writeFileSync(path, 'the archive')
    receiver.arrived(path)
    expect((await ended).stdout).not.toContain('@@failed')
    expect(read('got')).toBe('the archive')
  })

  it('is gone when containerd refuses it', async () => {
    k3s(`echo 'ctr: no space left on device' >&2; exit 1`)
    const receiver = await receive(shell)
    const { path, ended } = receiver
    writeFileSync(path, 'the archive')
    receiver.arrived(path)
    expect(await ended).toMatchObject({
      stdout: expect.stringContaining('@@failed import'),
      stderr: 'ctr: no space left on device\n',
    })
    expect(archives()).toEqual([])
  })

  it.each(['the operator is gone', 'a signal'])(
    'is gone when it was put in part and then comes %s',
    async (how) => {
      k3s()
      const { child, path, ended } = await receive(shell)
      writeFileSync(path, 'the arch')
      if (how === 'a signal') child.kill('SIGTERM')
      // A shell that waits in `read` may hear of a signal only when that returns.
      child.stdin?.end()
      expect((await ended).code).not.toBe(0)
      expect(archives()).toEqual([])
      expect(read('got')).toBeUndefined()
    },
  )

  it('says so when it was put and is not there', async () => {
    k3s()
    const receiver = await receive(shell)
    const { ended } = receiver
    receiver.arrived(receiver.path)
    expect(await ended).toMatchObject({
      code: 73,
      stderr: expect.stringMatching(/the archive was put into the container, and is not at \S+\.tar/),
    })
  })

  it('that a killed import left is removed by the next one, not that of an import that runs', async () => {
    k3s()
    const dead = await receive(shell)
    writeFileSync(dead.path, 'of the dead')
    dead.child.kill('SIGKILL')
    await dead.ended
    // The process id has come round: another process has it.
    const reused = at(`k3s/airlift/import-${process.pid}-1.tar`)
    writeFileSync(reused, 'of an earlier process')
    const running = await receive(shell)
    writeFileSync(running.path, 'of the living')
    expect([existsSync(dead.path), existsSync(reused)]).toEqual([false, false])
    const next = await receive(shell)
    expect(existsSync(running.path)).toBe(true)
    running.arrived(running.path)
    await running.ended
    expect(read('got')).toBe('of the living')
    next.child.stdin?.end()
    await next.ended
    expect(archives()).toEqual([])
  })
})
