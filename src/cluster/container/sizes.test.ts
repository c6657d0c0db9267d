import { describe, expect, it } from 'vitest'
import { parseCpus } from './cpus.js'
import { parseGpus } from './gpus.js'
import { parseMemory } from './memory.js'
import { parseUlimit } from './ulimits.js'

const Mi = 1024 ** 2

describe('parseMemory', () => {
  it.each([
    ['2g', 2048 * Mi],
    ['2G', 2048 * Mi],
    ['2gb', 2048 * Mi],
    ['2GiB', 2048 * Mi],
    ['2Gi', 2048 * Mi],
    ['1.5g', 1536 * Mi],
    ['512m', 512 * Mi],
    ['512 MB', 512 * Mi],
    ['512Mi', 512 * Mi],
    ['524288k', 512 * Mi],
    ['524288Ki', 512 * Mi],
    ['536870912', 512 * Mi],
    ['536870912b', 512 * Mi],
    ['1t', 1024 * 1024 * Mi],
  ])('reads %s', (text, bytes) => expect(parseMemory(text)).toBe(bytes))

  it.each([
    ['2x', '"2x" is not an amount of memory'],
    ['', '"" is not an amount'],
    ['-2g', '"-2g" is not an amount'],
    ['2gg', '"2gg" is not an amount'],
    ['1e9', '"1e9" is not an amount'],
    ['g', '"g" is not an amount'],
    ['2,5g', '"2,5g" is not an amount'],
    ['512', '"512" is 512 bytes, and a node needs 128m'],
    ['127m', 'a node needs 128m at least'],
    ['0', 'a node needs 128m'],
    ['99999999t', 'more than any computer has'],
  ])('refuses %s', (text, message) => {
    expect(parseMemory(text)).toMatchObject({
      message: expect.stringContaining(message),
      hint: expect.stringContaining('2g'),
    })
  })
})

describe('parseCpus', () => {
  it.each([
    ['2', 2],
    ['0.5', 0.5],
    ['.5', 0.5],
    ['1.75', 1.75],
    ['0.01', 0.01],
  ])('reads %s', (text, cpus) => expect(parseCpus(text)).toBe(cpus))

  it.each([
    ['0', 'write --cpus 2 or 0.5'],
    ['0.001', 'write --cpus 2 or 0.5'],
    ['-1', 'write --cpus 2 or 0.5'],
    ['two', 'write --cpus 2 or 0.5'],
    ['', 'write --cpus 2 or 0.5'],
    ['100000', 'write --cpus 2 or 0.5'],
    ['1e1', 'write --cpus 2 or 0.5'],
    ['1500m', 'write --cpus 1.5'],
  ])('refuses %s', (text, hint) => {
    expect(parseCpus(text)).toEqual({ message: `"${text}" is not a number of processors`, hint })
  })
})

describe('parseGpus', () => {
  const gpu = (count: number, ids: string[] = [], more: string[] = []) => ({
    count,
    ids,
    capabilities: ['gpu', ...more],
  })
  it.each([
    ['all', gpu(-1)],
    ['2', gpu(2)],
    ['count=2', gpu(2)],
    ['count=all', gpu(-1)],
    ['device=0', gpu(0, ['0'])],
    ['device=0,2', gpu(0, ['0', '2'])],
    ['"device=0,2"', gpu(0, ['0', '2'])],
    ['"device=0,2",capabilities=utility', gpu(0, ['0', '2'], ['utility'])],
    ['device=GPU-3a23c669-1f69-c64e-cf85-44e9b07e7a2a', gpu(0, ['GPU-3a23c669-1f69-c64e-cf85-44e9b07e7a2a'])],
    ['capabilities=utility', gpu(1, [], ['utility'])],
    ['all,"capabilities=compute,utility"', gpu(-1, [], ['compute', 'utility'])],
    ['driver=nvidia,count=1', gpu(1)],
    ['device=nvidia.com/gpu=all', { ...gpu(0, ['nvidia.com/gpu=all']), driver: 'cdi' }],
    [
      'driver=cdi,device=nvidia.com/gpu=0,nvidia.com/gpu=1',
      { ...gpu(0, ['nvidia.com/gpu=0', 'nvidia.com/gpu=1']), driver: 'cdi' },
    ],
  ])('reads %s', (text, expected) => expect(parseGpus(text)).toEqual(expected))

  it.each([
    ['', 'is not a number of GPUs'],
    ['0', '"0" is not a number of GPUs'],
    ['-1', '"-1" is not a number of GPUs'],
    ['some', '"some" is not a number of GPUs'],
    ['1,2', 'gives the number twice'],
    ['count=2,device=0', 'gives a number and devices'],
    ['"device=0', 'has a quote that is not closed'],
    ['device=', 'is neither a device nor a capability'],
    ['driver=amd', '"driver=amd" of --gpus is not supported'],
    ['options=x', '"options=x" of --gpus is not supported'],
    ['device=0,nvidia.com/gpu=1', 'mixes devices of CDI with others'],
    ['driver=cdi,device=0', 'mixes devices of CDI with others'],
    ['driver=cdi', 'mixes devices of CDI with others, or names none'],
    ['driver=nvidia,device=nvidia.com/gpu=0', 'mixes devices of CDI with others'],
  ])('refuses %s', (text, message) => {
    expect(parseGpus(text)).toMatchObject({ message: expect.stringContaining(message) })
  })
})

describe('parseUlimit', () => {
  it.each([
    ['nofile=1024:2048', { name: 'nofile', soft: 1024, hard: 2048 }],
    ['nofile=1024', { name: 'nofile', soft: 1024, hard: 1024 }],
    ['memlock=-1:-1', { name: 'memlock', soft: -1, hard: -1 }],
    ['memlock=-1', { name: 'memlock', soft: -1, hard: -1 }],
    ['core=0:-1', { name: 'core', soft: 0, hard: -1 }],
  ])('reads %s', (text, expected) => expect(parseUlimit(text)).toEqual(expected))

  it.each([
    ['nofile', '"nofile" is not a limit'],
    ['nofile=', '"nofile=" is not a limit'],
    ['nofile=a:b', '"nofile=a:b" is not a limit'],
    ['nofile=1:2:3', '"nofile=1:2:3" is not a limit'],
    ['files=1', '"files" is not the name of a limit'],
    ['nofile=2:1', 'the soft limit of "nofile=2:1" is above the hard one'],
    ['nofile=-1:1', 'the soft limit of "nofile=-1:1" is above the hard one'],
  ])('refuses %s', (text, message) => {
    expect(parseUlimit(text)).toMatchObject({ message, hint: expect.any(String) })
  })
})
