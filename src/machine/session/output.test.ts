import fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import { createOutput } from './output.js'

describe('createOutput', () => {
  it('tells noise from output, however the bytes are cut', () => {
    const whole = Buffer.from('Welcome to Debian ä\nno newline hereMARK 17\nfirst ß\nsecond')
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: whole.length }), { maxLength: 8 }), (cuts) => {
        const starts: string[] = []
        const lines: string[] = []
        const output = createOutput({
          marker: 'MARK',
          onStart: (rest) => starts.push(rest),
          onLine: (line) => lines.push(line),
        })
        const places = [0, ...cuts.sort((a, b) => a - b), whole.length]
        places.slice(1).forEach((end, index) => {
          output.push(whole.subarray(places[index], end))
        })
        output.end()
        expect(output.noise()).toBe('Welcome to Debian ä\nno newline here')
        expect(output.text()).toBe('first ß\nsecond')
        expect(starts).toEqual(['17'])
        expect(lines).toEqual(['first ß', 'second'])
      }),
    )
  })

  it('has not started before the marker', () => {
    const output = createOutput({ marker: 'MARK' })
    output.push(Buffer.from('This account is currently not available.\n'))
    expect(output.started).toBe(false)
    expect(output.text()).toBe('')
  })

  it('says when there is too much', () => {
    const onOverflow = vi.fn()
    const output = createOutput({ marker: 'M', maxBytes: 10, onOverflow })
    output.push(Buffer.from('M\n0123456789'))
    expect(onOverflow).not.toHaveBeenCalled()
    output.push(Buffer.from('a'))
    expect(onOverflow).toHaveBeenCalled()
  })

  it('keeps the end of what is too long', () => {
    const output = createOutput({ marker: 'M', maxBytes: 10 })
    output.push(Buffer.from('M\n'))
    for (let i = 0; i < 50; i++) output.push(Buffer.from(`line ${i}\n`))
    expect(output.text().endsWith('line 49\n')).toBe(true)
    expect(output.text().length).toBeLessThan(30)
  })
})
