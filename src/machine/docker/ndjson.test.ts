import { Readable } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { lineError, lineText, readNdjson } from './ndjson.js'

async function all(...chunks: readonly (string | Buffer)[]): Promise<unknown[]> {
  const lines: unknown[] = []
  for await (const line of readNdjson(Readable.from(chunks))) lines.push(line)
  return lines
}

describe('readNdjson', () => {
  it('reads lines over chunks, with and without CR and a last line end', async () => {
    const cut = Buffer.from('{"status":"größer"}\r\n')
    expect(await all('{"a":', '1}\r\n\r\n{"b":2}', '\n{"c":3}')).toEqual([{ a: 1 }, { b: 2 }, { c: 3 }])
    expect(await all(cut.subarray(0, 14), cut.subarray(14))).toEqual([{ status: 'größer' }])
    expect(await all('{"a":1}{"b":2}\n')).toEqual([{ a: 1 }, { b: 2 }])
    expect(await all('{"a":"}{"}\n')).toEqual([{ a: '}{' }])
    expect(await all()).toEqual([])
  })

  it('says which line is no JSON', async () => {
    await expect(all('{"a":1}\n<html>\n')).rejects.toThrow(/no JSON: <html>/)
  })

  it('does not keep a line without end', async () => {
    const endless = Array.from({ length: 20 }, () => 'x'.repeat(1 << 20))
    await expect(all(...endless)).rejects.toThrow(/8 MiB/)
  })

  it('reads no faster than its reader, and closes the source when it stops', async () => {
    let given = 0
    const source = Readable.from(
      (function* () {
        for (;;) {
          given++
          yield `{"n":${given}}\n`
        }
      })(),
      { highWaterMark: 2 },
    )
    for await (const line of readNdjson(source)) if (line.n === 5) break
    expect(given).toBeLessThan(12)
    expect(source.destroyed).toBe(true)
  })
})

describe('the lines of an engine', () => {
  it('hold errors in two spellings', () => {
    expect(lineError({ errorDetail: { message: 'no space' }, error: 'short' })).toBe('no space')
    expect(lineError({ error: 'manifest unknown' })).toBe('manifest unknown')
    expect(lineError({ status: 'Pull complete', error: '' })).toBeUndefined()
  })

  it('are progress for people', () => {
    expect(lineText({ id: '4f4f', status: 'Downloading', progress: '[=> ] 1MB' })).toBe(
      '4f4f: Downloading [=> ] 1MB',
    )
    expect(lineText({ stream: 'Loaded image: x\n' })).toBe('Loaded image: x')
  })
})
