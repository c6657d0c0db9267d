import { expect, it } from 'vitest'
import { formatBytes } from './bytes.js'

it.each([
  [0, '0 B'],
  [200, '200 B'],
  [999, '999 B'],
  [1_000, '1.0 kB'],
  [53_862_400, '53.9 MB'],
  [99_960_000, '100 MB'],
  [999_600_000, '1.0 GB'],
])('%i bytes are written as %s', (bytes, text) => expect(formatBytes(bytes)).toBe(text))
