import { once } from 'node:events'
import { PassThrough, Readable } from 'node:stream'
import { setImmediate as turn } from 'node:timers/promises'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { demultiplex, mixFrames } from './demultiplex.js'

function frame(stream: number, text: string | Buffer): Buffer {
  const bytes = Buffer.from(text)
  const header = Buffer.alloc(8)
  header[0] = stream
  header.writeUInt32BE(bytes.length, 4)
  return Buffer.concat([header, bytes])
}

async function text(stream: Readable): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of stream) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString('latin1')
}

describe('demultiplex', () => {
  it('takes frames apart, however they are cut', async () => {
    const frames = fc.array(
      fc.record({ stream: fc.constantFrom(1, 2), text: fc.string({ unit: 'binary-ascii', maxLength: 40 }) }),
      { maxLength: 12 },
    )
    await fc.assert(
      fc.asyncProperty(frames, fc.integer({ min: 1, max: 50 }), async (all, size) => {
        const bytes = Buffer.concat(all.map((one) => frame(one.stream, one.text)))
        const pieces: Buffer[] = []
        for (let at = 0; at < bytes.length; at += size) pieces.push(bytes.subarray(at, at + size))
        const { stdout, stderr, whole } = demultiplex(Readable.from(pieces, { objectMode: false }))
        const said = (stream: number): string =>
          all.map((one) => (one.stream === stream ? one.text : '')).join('')
        expect(await Promise.all([text(stdout), text(stderr)])).toEqual([said(1), said(2)])
        expect(await whole).toBe(true)
      }),
      { numRuns: 60 },
    )
  })

  it('shows errors of the engine on stderr and drops its echo of stdin', async () => {
    const source = Readable.from([Buffer.concat([frame(0, 'typed'), frame(3, 'bad'), frame(1, 'out')])])
    const { stdout, stderr } = demultiplex(source)
    expect(await Promise.all([text(stdout), text(stderr)])).toEqual(['out', 'bad'])
  })

  it('says when it was cut in the middle of a frame', async () => {
    const cut = demultiplex(Readable.from([frame(1, 'whole'), frame(1, 'cut').subarray(0, 9)]))
    expect(await Promise.all([text(cut.stdout), text(cut.stderr), cut.whole])).toEqual(['wholec', '', false])
    const header = demultiplex(Readable.from([frame(1, 'x').subarray(0, 3)]))
    expect(await Promise.all([text(header.stdout), text(header.stderr), header.whole])).toEqual([
      '',
      '',
      false,
    ])
  })

  it('gives up on what is no frame instead of guessing', async () => {
    const source = Readable.from([Buffer.from('HTTP/1.1 200 OK')])
    const { stdout, stderr, whole } = demultiplex(source)
    expect(await Promise.all([text(stdout), text(stderr), whole])).toEqual(['', '', false])
    expect(source.errored?.message).toMatch(/no/)
  })

  it('stops the source while a stream is full, and goes on when it is read', async () => {
    const source = new PassThrough({ highWaterMark: 1024 })
    const { stdout, stderr } = demultiplex(source)
    stderr.resume()
    let written = 0
    for (let i = 0; i < 1_000; i++) {
      const more = source.write(frame(1, Buffer.alloc(10_000)))
      written += 10_000
      await turn()
      if (!more && source.isPaused()) break
    }
    expect(written).toBeLessThan(1_000_000)
    expect(stdout.readableLength).toBeLessThan(200_000)
    source.end()
    expect((await text(stdout)).length).toBe(written)
  })

  it('goes on with one stream when the other is not wanted any more', async () => {
    const source = new PassThrough()
    const { stdout, stderr } = demultiplex(source)
    source.write(frame(2, Buffer.alloc(200_000)))
    await turn()
    expect(source.isPaused()).toBe(true)
    stderr.destroy()
    source.end(frame(1, 'still here'))
    expect(await text(stdout)).toBe('still here')
  })
})

describe('mixFrames', () => {
  it('keeps the order of both streams', async () => {
    const source = Readable.from([frame(1, 'a\n'), frame(2, 'b\n'), frame(1, 'c\n')])
    expect(await text(mixFrames(source))).toBe('a\nb\nc\n')
  })

  it('passes on an error of the source, and closes the source when it is closed', async () => {
    const broken = mixFrames(
      Readable.from(
        (async function* () {
          yield frame(1, 'a')
          throw new Error('cut')
        })(),
      ),
    )
    await expect(text(broken)).rejects.toThrow('cut')
    const source = new PassThrough()
    mixFrames(source).destroy()
    await once(source, 'close')
    expect(source.destroyed).toBe(true)
  })
})
