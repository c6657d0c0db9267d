import { execFileSync } from 'node:child_process'
import { linkSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { open, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { BLOCK, memberSize, parseHeader, TAR_END, tarHeader } from './header.js'
import { resolveMember, scanTar, type TarScan } from './scan.js'

let dir: string
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'airlift-tar-'))
})
afterEach(() => rmSync(dir, { recursive: true, force: true }))

async function scan(path: string): Promise<TarScan> {
  const file = await open(path, 'r')
  try {
    return await scanTar(file, (await stat(path)).size)
  } finally {
    await file.close()
  }
}

describe('scanTar', () => {
  it.each(['ustar', 'pax', 'gnu', 'oldgnu', 'v7'])(
    'reads what tar writes as %s, with long names and links',
    async (format) => {
      const root = join(dir, 'in')
      mkdirSync(join(root, 'a'), { recursive: true })
      writeFileSync(join(root, 'a/file'), 'x'.repeat(700))
      linkSync(join(root, 'a/file'), join(root, 'a/hard'))
      symlinkSync('../a/file', join(root, 'a/soft'))
      const long = `${'d'.repeat(60)}/${'f'.repeat(format === 'v7' ? 30 : 90)}`
      if (format === 'pax' || format === 'gnu' || format === 'oldgnu') {
        mkdirSync(join(root, 'd'.repeat(60)))
        writeFileSync(join(root, long), 'long')
      }
      execFileSync('tar', [`--format=${format}`, '--sort=name', '-cf', join(dir, 'x.tar'), '-C', root, '.'])
      const { members, cut } = await scan(join(dir, 'x.tar'))
      expect(cut).toBeUndefined()
      for (const name of ['a/file', './a/hard', 'a/soft']) {
        expect(resolveMember(members, name)).toMatchObject({ name: 'a/file', size: 700 })
      }
      if (format !== 'ustar' && format !== 'v7') expect(members.get(long)?.size).toBe(4)
    },
  )

  it('tells where an archive was cut', async () => {
    const whole = Buffer.concat([
      tarHeader('a', 3),
      Buffer.alloc(BLOCK, 'x'),
      tarHeader('b', 600),
      Buffer.alloc(1024),
      TAR_END,
    ])
    for (const [length, why] of [
      [BLOCK * 3 + 100, /b ends at byte/],
      [BLOCK * 2 + 10, /without an end mark/],
      [BLOCK * 2, /without an end mark/],
    ] as const) {
      writeFileSync(join(dir, 'cut.tar'), whole.subarray(0, length))
      const { members, cut } = await scan(join(dir, 'cut.tar'))
      expect([...members.keys()]).toEqual(['a'])
      expect(cut).toMatch(why)
    }
  })

  it('does not loop on links that go round', async () => {
    symlinkSync('b', join(dir, 'a'))
    symlinkSync('a', join(dir, 'b'))
    execFileSync('tar', ['-cf', join(dir, 'x.tar'), '-C', dir, 'a', 'b'])
    expect(resolveMember((await scan(join(dir, 'x.tar'))).members, 'a')).toBeUndefined()
  })
})

describe('tarHeader', () => {
  it.each([0, 1, 8 ** 11 - 1, 8 ** 11, 2 ** 40])('is read back with the size %d', (size) => {
    expect(parseHeader(tarHeader('blobs/x', size))).toMatchObject({ name: 'blobs/x', size, type: '0' })
  })

  it('is refused when a byte of it is wrong', () => {
    const header = tarHeader('name', 5)
    header[0] = 0x58
    expect(parseHeader(header)).toBeUndefined()
    expect(parseHeader(Buffer.alloc(BLOCK))).toBe('end')
    expect(memberSize(513)).toBe(3 * BLOCK)
    expect(() => tarHeader('x'.repeat(101), 1)).toThrow(RangeError)
  })
})
