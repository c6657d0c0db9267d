import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { basename } from 'node:path'
import { describe, expect, it } from 'vitest'
import { SHELLS } from '../../machine/shells.fixture.js'
import { receiverLab } from './receive-archive.fixture.js'
import { IMPORTED_MARK, NOT_SHARED, OPENED_MARK } from './scripts.js'

const { at, read, k3s, receive, archives, shelf } = receiverLab()

/** Waits in a ctr for a file, and no longer than the test lives: it is not killed with the shell that started it. */
const k3sWaits = (name: string): string =>
  `while [ -d ${at('k3s')} ] && [ ! -e ${at(name)} ]; do sleep 0.05; done`

describe.each(SHELLS)('an archive that is put for all nodes, under %s', (...shell) => {
  it('is taken by another node that sees it, and has a name until nobody wants it any more', async () => {
    k3s(`cat >>${at('got')}`)
    const [first, second] = [await receive(shell, 'sharing'), await receive(shell, 'sharing')]
    const { common } = first
    expect(common).toContain(at('shared/images/import/'))
    expect(second.common).not.toBe(common)
    writeFileSync(common, 'the archive')
    first.arrived(common)
    await expect.poll(() => first.marks()).toContain('@@end')
    expect(first.marks()).toEqual([OPENED_MARK, IMPORTED_MARK, '@@end'])
    // The second comes when the first has all but ended.
    expect(shelf()).toEqual([basename(common)])
    second.arrived(common)
    expect((await second.ended).code).toBe(0)
    expect(second.marks()).toEqual([OPENED_MARK, IMPORTED_MARK, '@@end'])
    expect(shelf()).toEqual([basename(common)])
    first.child.stdin?.end()
    expect((await first.ended).code).toBe(0)
    expect(read('got')).toBe('the archive'.repeat(2))
    expect(shelf()).toEqual([])
    expect(archives()).toEqual([])
  })

  it('has a name too while the import that it was put for has failed', async () => {
    // The first is refused; the second reads what it has opened after the name has gone.
    k3s(`if mkdir ${at('first')} 2>/dev/null; then echo 'ctr: refused' >&2; exit 1
else ${k3sWaits('go')}; cat >${at('got')}; fi`)
    const [first, second] = [await receive(shell, 'sharing'), await receive(shell, 'sharing')]
    const { common } = first
    writeFileSync(common, 'the archive')
    first.arrived(common)
    await expect.poll(() => first.marks()).toContain('@@end')
    expect(first.marks()).toEqual([OPENED_MARK, '@@failed import', IMPORTED_MARK, '@@end'])
    second.arrived(common)
    await expect.poll(() => second.marks()).toContain(OPENED_MARK)
    first.child.stdin?.end()
    expect((await first.ended).code).toBe(0)
    expect(existsSync(common)).toBe(false)
    writeFileSync(at('go'), '')
    await second.ended
    expect(read('got')).toBe('the archive')
  })

  it('has a name too while containerd does not answer the node that it was put for', async () => {
    k3s(`echo 'ctr: refused' >&2; exit 1;;\n*'images check') exit 1`)
    const first = await receive(shell, 'sharing')
    const { common } = first
    writeFileSync(common, 'the archive')
    first.arrived(common)
    await expect.poll(() => first.marks()).toContain('@@end')
    expect(first.marks()).toContain('@@fail containerd')
    expect(shelf()).toEqual([basename(common)])
    first.child.stdin?.end()
    expect((await first.ended).code).toBe(0)
    expect(shelf()).toEqual([])
  })

  it('is imported all the same when nobody wants it any more before that, and gone then', async () => {
    k3s(`${k3sWaits('go')}; cat >${at('got')}`)
    const first = await receive(shell, 'sharing')
    const { common } = first
    writeFileSync(common, 'the archive')
    first.arrived(common)
    first.child.stdin?.end()
    await expect.poll(() => first.marks()).toContain(OPENED_MARK)
    expect(first.marks()).not.toContain(IMPORTED_MARK)
    writeFileSync(at('go'), '')
    expect((await first.ended).code).toBe(0)
    expect(first.marks()).toEqual([OPENED_MARK, IMPORTED_MARK, '@@end'])
    expect(read('got')).toBe('the archive')
    expect(shelf()).toEqual([])
  })

  it.each(['the operator is killed', 'a signal'])(
    'is gone when others may want it and then comes %s',
    async (how) => {
      k3s(`cat >${at('got')}`)
      const first = await receive(shell, 'sharing')
      const { child, common } = first
      writeFileSync(common, 'the archive')
      first.arrived(common)
      await expect.poll(() => first.marks()).toContain('@@end')
      expect(shelf()).toEqual([basename(common)])
      if (how === 'a signal') child.kill('SIGTERM')
      else for (const pipe of child.stdio) pipe?.destroy()
      await first.ended
      expect(shelf()).toEqual([])
      expect(archives()).toEqual([])
    },
  )

  it.each(['that of another node', 'its own'])('says that it does not see %s there', async (whose) => {
    k3s()
    const receiver = await receive(shell, 'sharing')
    const other = at('shared/images/import/gone@1.import-1-1.tar')
    receiver.arrived(whose === 'its own' ? receiver.common : other)
    expect((await receiver.ended).code).toBe(NOT_SHARED)
    expect(shelf()).toEqual([])
  })

  it('that came in part for all goes with the operator, and what was killed with the next import', async () => {
    k3s()
    const receiver = await receive(shell, 'sharing')
    writeFileSync(receiver.common, 'the arch')
    receiver.child.stdin?.end()
    expect((await receiver.ended).code).toBe(72)
    expect(shelf()).toEqual([])
    const dead = await receive(shell, 'sharing')
    writeFileSync(dead.common, 'of the dead')
    dead.child.kill('SIGKILL')
    await dead.ended
    const living = await receive(shell, 'sharing')
    writeFileSync(living.common, 'of the living')
    const next = await receive(shell, 'sharing')
    expect(shelf()).toEqual([basename(living.common)])
    for (const { child } of [living, next]) child.stdin?.end()
    for (const { ended } of [living, next]) await ended
    expect(shelf()).toEqual([])
  })

  it('that a node left on the shared volume goes with the next import there, or after an hour', async () => {
    k3s()
    mkdirSync(at('shared/images/import'))
    const now = Math.floor(Date.now() / 1000)
    const stale = [`${hostname()}@${now}.import-${process.pid}-1.tar`, `gone@${now - 4000}.import-1-1.tar`]
    const kept = `other@${now - 100}.import-1-1.tar`
    for (const name of [...stale, kept]) writeFileSync(at(`shared/images/import/${name}`), 'left')
    const receiver = await receive(shell, 'sharing')
    receiver.child.stdin?.end()
    await receiver.ended
    expect(shelf()).toEqual([kept])
  })
})
