import { rmSync, statSync, writeFileSync } from 'node:fs'
import { mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { isDeadLock, removeDeadLock, takeLock } from './lock-file.js'

const STALE = 60_000

let directory: string
let path: string
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'airlift-lock-'))
  path = join(directory, 'lock')
})
afterEach(async () => {
  vi.restoreAllMocks()
  await rm(directory, { recursive: true })
})

/** A lock as a process of this computer wrote it that is gone. */
async function deadLock(): Promise<string> {
  await takeLock(path, STALE)
  const mark = (await readFile(path, 'utf8')).replace(` ${process.pid} `, ' 999999999 ')
  await writeFile(path, mark)
  return mark
}

const died = (meanwhile: () => void) => () => {
  meanwhile()
  throw Object.assign(new Error('kill ESRCH'), { code: 'ESRCH' })
}

describe('takeLock', () => {
  it('gives a lock to one, and to the next when it is given back', async () => {
    const lock = await takeLock(path, STALE)
    expect(await takeLock(path, STALE)).toBeUndefined()
    await lock?.release()
    expect(await takeLock(path, STALE)).toMatchObject({ path })
  })

  it('takes over what a process left that is gone, and what nobody touched for long', async () => {
    await deadLock()
    await (await takeLock(path, STALE))?.release()
    await writeFile(path, '', { mode: 0 })
    expect(await takeLock(path, STALE)).toBeUndefined()
    const old = new Date(Date.now() - STALE - 1000)
    await utimes(path, old, old)
    await (await takeLock(path, STALE))?.release()
    expect(await readdir(directory)).toEqual([])
  })

  it('lets a lock alone that another program took while the death of the one before was found out', async () => {
    await deadLock()
    let taken = 0
    vi.spyOn(process, 'kill').mockImplementation(
      died(() => {
        if (taken !== 0) return
        rmSync(path)
        writeFileSync(path, 'airlift 1 another 0123456789abcdef\n')
        taken = statSync(path).ctimeMs
      }),
    )
    expect(await takeLock(path, STALE)).toBeUndefined()
    // Moving it away and back would leave a moment in which a third program gets it, too.
    expect(statSync(path).ctimeMs).toBe(taken)
    expect(await readdir(directory)).toEqual(['lock'])
  })

  it('waits for another program that takes the same dead lock over, and for one that was killed at it', async () => {
    const mark = await deadLock()
    await writeFile(`${path}.999999999.${mark.trim().split(' ')[3]}.dead`, '')
    expect(await takeLock(path, STALE)).toBeUndefined()
    expect(await readFile(path, 'utf8')).toBe(mark)
    const old = new Date(Date.now() - STALE - 1000)
    await utimes(path, old, old)
    expect(await takeLock(path, STALE)).toMatchObject({ path })
  })

  it('does not judge processes of other computers, and of containers that have the name of this one', async () => {
    for (const place of ['another', `${hostname()}/pid:[1]`]) {
      await writeFile(path, `airlift 999999999 ${place} 0123456789abcdef\n`)
      expect(await takeLock(path, STALE)).toBeUndefined()
      expect(await isDeadLock(path)).toBe(false)
      expect(await removeDeadLock(path)).toBe(false)
    }
  })

  it('does not give back a lock that was taken over', async () => {
    const lock = await takeLock(path, STALE)
    await writeFile(path, 'airlift 1 another 0123456789abcdef\n')
    await lock?.release()
    expect(await readdir(directory)).toEqual(['lock'])
  })
})

describe('removeDeadLock', () => {
  it('removes it once', async () => {
    await deadLock()
    expect(await isDeadLock(path)).toBe(true)
    expect((await Promise.all([removeDeadLock(path), removeDeadLock(path)])).filter(Boolean)).toHaveLength(1)
    expect(await removeDeadLock(path)).toBe(false)
    expect(await readdir(directory)).toEqual([])
  })
})
