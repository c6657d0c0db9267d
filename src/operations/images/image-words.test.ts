import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { readImageWords } from './image-words.js'

let dir: string
const before = process.cwd()
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'airlift-words-'))
  process.chdir(dir)
})
afterEach(() => {
  process.chdir(before)
  rmSync(dir, { recursive: true, force: true })
})

describe('readImageWords', () => {
  it('tells files, layouts, names and standard input apart', () => {
    writeFileSync('app.tar', '')
    writeFileSync('saved', '')
    mkdirSync('layout')
    writeFileSync('layout/oci-layout', '')
    mkdirSync('busybox')
    const name = (ref: string, full: string) => ({ kind: 'name', ref, name: full })
    expect(
      readImageWords(['app.tar', 'saved', 'layout', './busybox', '-', 'busybox', 'team/app:1', 'app.tar']),
    ).toEqual([
      { kind: 'path', path: 'app.tar' },
      { kind: 'path', path: 'saved' },
      { kind: 'path', path: 'layout' },
      { kind: 'path', path: './busybox' },
      { kind: 'stdin' },
      // A directory that is no layout does not hide the image of its name.
      name('busybox', 'docker.io/library/busybox:latest'),
      name('team/app:1', 'docker.io/team/app:1'),
    ])
  })

  it.each(['gone.tar', 'gone.tar.gz', './gone', '/nowhere/gone', 'gone/', 'gone.tzst'])(
    'takes %s for a path, though it is not there',
    (word) => {
      expect(() => readImageWords([word])).toThrow(
        expect.objectContaining({ code: 'E_LOCAL_FILE', message: expect.stringContaining(word) }),
      )
    },
  )

  it.each([
    ['App:1', /"App:1" is neither a file here nor the name of an image/],
    [`app@sha256:${'a'.repeat(64)}`, /names an image by its digest/],
    ['', /neither a file here nor the name/],
  ])('refuses "%s"', (word, message) => {
    expect(() => readImageWords([word])).toThrow(
      expect.objectContaining({ code: 'E_IMAGE_INVALID', message: expect.stringMatching(message) }),
    )
  })

  it('refuses nothing, and standard input twice', () => {
    expect(() => readImageWords([])).toThrow('no image is named')
    expect(() => readImageWords(['-', '-'])).toThrow('"-" is given twice')
  })
})
