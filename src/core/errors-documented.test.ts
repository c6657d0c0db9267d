import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { ERROR_CODES, type ErrorCode } from './errors.js'

const page = readFileSync(join(import.meta.dirname, '../../docs/errors.md'), 'utf8')
const sections = new Map(
  page
    .split(/^### /m)
    .slice(1)
    .map((text) => [text.slice(0, text.indexOf('\n')), text]),
)

it.each(Object.keys(ERROR_CODES) as ErrorCode[])('docs/errors.md explains %s', (code) => {
  const section = sections.get(code)
  expect(section, 'a heading of its own').toBeDefined()
  expect(section).toMatch(new RegExp(`^Exit ${ERROR_CODES[code].exit}\\. .{20}`, 'm'))
  expect(section).toMatch(/^\*\*Remedy\.\*\* .{10}/m)
})

it('docs/errors.md explains no code that does not exist', () => {
  expect([...sections.keys()].filter((code) => !(code in ERROR_CODES))).toEqual([])
})
