import { linkSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createContext } from '../core/context.js'
import { dockerArchive, elf, write } from './archives.fixture.js'
import { buildBundle } from './build-bundle.js'
import { readTemplates, refuseOverwriting } from './build-inputs.js'

let dir: string
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'airlift-inputs-'))
})
afterEach(() => rmSync(dir, { recursive: true, force: true }))
const path = (name: string): string => join(dir, name)

describe('readTemplates', () => {
  it('takes those of the user over the packaged ones, and nothing that hides', async () => {
    write(path('k3s.service'), 'mine')
    write(path('.DS_Store'), 'of a file manager')
    const packaged = await readTemplates('k3s', undefined)
    const own = await readTemplates('k3s', dir)
    expect(own.map(({ file }) => file.path)).toEqual(packaged.map(({ file }) => file.path))
    expect(own.find(({ file }) => file.path === 'templates/k3s.service')?.file.size).toBe(4)
  })

  it.each<[string, string, () => unknown, RegExp, RegExp]>([
    [
      'a mistyped name',
      'k3s.servce',
      () => write(path('k3s.servce'), 'x'),
      /replaces no template/,
      /mean k3s\.service\?/,
    ],
    [
      'another name',
      'my unit.txt',
      () => write(path('my unit.txt'), 'x'),
      /none is called "my unit\.txt"/,
      /there are .*k3s\.service/,
    ],
    ['another directory', 'sub', () => mkdirSync(path('sub')), /none is called "sub"/, /there are/],
    ['a directory', 'k3s.service', () => mkdirSync(path('k3s.service')), /it is a directory/, /file/],
    [
      'an empty one',
      'k3s.service',
      () => write(path('k3s.service'), ''),
      /is empty/,
      /keep the packaged k3s\.service/,
    ],
  ])('refuses %s', async (_what, name, make, message, hint) => {
    make()
    await expect(readTemplates('k3s', dir)).rejects.toMatchObject({
      code: 'E_LOCAL_FILE',
      message: expect.stringMatching(message),
      hint: expect.stringMatching(hint),
    })
    await expect(readTemplates('k3s', dir)).rejects.toThrow(path(name))
  })
})

it('refuses an output that is one of the inputs, by whatever name', async () => {
  const images = write(path('images.tar'), dockerArchive([{ names: ['a:1'] }]))
  linkSync(images, path('same.tar'))
  await refuseOverwriting(path('new.airlift'), [images], '--images')
  await refuseOverwriting(write(path('old.airlift'), 'old'), [images], '--images')
  const request = {
    runtime: 'k3s' as const,
    version: 'v1.33.1+k3s1',
    binary: [write(path('k3s'), elf('amd64'))],
    images: [images],
  }
  for (const output of [images, path('same.tar')]) {
    await expect(buildBundle({ ...request, output }, createContext({ env: {} }))).rejects.toMatchObject({
      code: 'E_USAGE',
      message: `--output ${output} is a file that the bundle is built from (--images ${images})`,
    })
  }
})
