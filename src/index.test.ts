import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import * as library from './index.js'

it('has every function that docs/library.md lists', () => {
  const text = readFileSync(new URL('../docs/library.md', import.meta.url), 'utf8')
  const rows = text.split('\n').filter((line) => /^\| `/.test(line))
  const named = rows.flatMap((row) =>
    [...(row.split('|')[1] ?? '').matchAll(/`(\w+)`/g)].map(([, name]) => name),
  )
  expect(named).toContain('logs')
  expect(named.filter((name) => !name || !(name in library))).toEqual([])
})
