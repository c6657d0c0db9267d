import { describe, expect, it } from 'vitest'
import type { ImportMachine, ImportResult } from '../../operations/images/import-images.js'
import type { ImageList } from '../../operations/images/list-images.js'
import { renderImageList, renderImport } from './images.js'
import { styleFor } from './style.js'

const style = styleFor({ isTTY: false }, {})
const error = { code: 'E_DISK_FULL', message: 'no room', hint: null }
const machine = (node: string, outcome: ImportMachine['outcome'], ...of: string[]): ImportMachine => ({
  machine: `ssh://root@${node}:22`,
  node,
  role: 'worker',
  outcome,
  images: of.map((text, index) => ({ name: `x/${index}:1`, outcome: text as 'imported', error: null })),
  error: outcome === 'failed' ? error : null,
})
const result = (outcome: ImportResult['outcome'], ...machines: ImportMachine[]): ImportResult => ({
  operation: 'image import',
  outcome,
  name: 'dev',
  seconds: 2.3,
  bytesSent: 4_200_000,
  images: ['x/0:1', 'x/1:1'].map((name) => ({ name, arch: 'amd64', id: 'sha256:1' })),
  machines,
})

describe('renderImport', () => {
  it('has a row for every image of every node', () => {
    const text = renderImport(
      result(
        'partial',
        machine('a', 'changed', 'imported', 'present'),
        machine('b', 'failed', 'failed', 'failed'),
      ),
      style,
    )
    expect(text).toBe(
      [
        'NODE  IMAGE  RESULT',
        'a     x/0:1  imported',
        '      x/1:1  present',
        'b     x/0:1  failed',
        '      x/1:1  failed',
        '',
        '! 2 images on 1 of 2 machines, 4.2 MB sent in 2.3s',
      ].join('\n'),
    )
  })
  it.each([
    ['done', '✓ 2 images on 1 machine, 4.2 MB sent in 2.3s'],
    ['unchanged', '✓ 2 images: every node has them (2.3s, 4.2 MB sent)'],
    ['failed', '✗ no machine has all of the images'],
  ] as const)('sums up what is %s', (outcome, last) => {
    expect(
      renderImport(result(outcome, machine('a', 'changed', 'imported')), style)
        .split('\n')
        .at(-1),
    ).toBe(last)
  })
})

describe('renderImageList', () => {
  const on = (node: string, id: string) => ({
    machine: node,
    node,
    id: `sha256:${id}`,
    sizeBytes: 5_000_000,
    pinned: false,
  })
  const asked = (node: string, failed = false) => ({
    machine: node,
    node,
    role: 'worker' as const,
    arch: failed ? null : 'x86_64',
    error: failed ? error : null,
  })
  const list = (images: ImageList['images'], ...machines: ImageList['machines']): ImageList => ({
    operation: 'image list',
    outcome: 'done',
    name: 'dev',
    images,
    machines,
  })
  it('marks what differs', () => {
    const images = [
      {
        name: 'x/a:1',
        same: true,
        nodes: [on('a', '1234567890abcdef'), on('b', '1234567890abcdef')],
        missing: [],
      },
      { name: 'x/b:1', same: false, nodes: [on('a', '2')], missing: ['b'] },
      { name: 'x/c:1', same: false, nodes: [on('a', '3'), on('b', '4')], missing: [] },
    ]
    expect(renderImageList(list(images, asked('a'), asked('b')), false)).toBe(
      [
        '   IMAGE  ID            SIZE    NODES',
        '   x/a:1  1234567890ab  5.0 MB  all 2',
        '!  x/b:1  2             5.0 MB  a (not b)',
        '!  x/c:1  3             5.0 MB  a',
        '!         4             5.0 MB  b',
      ].join('\n'),
    )
  })
  it('says what an empty list means', () => {
    expect(renderImageList(list([], asked('a'), asked('b')), true)).toBe('no difference between 2 nodes')
    expect(renderImageList(list([], asked('a')), false)).toBe('no images')
    expect(renderImageList(list([], asked('a', true)), true)).toBe('no node could be asked')
  })
})
