import { expect, it } from 'vitest'
import { parseNodes } from './nodes.js'

it('a node that takes no new pods is told from one that does', () => {
  const list = (unschedulable?: boolean): string =>
    JSON.stringify({ items: [{ metadata: { name: 'bare2' }, spec: { unschedulable } }] })
  expect(parseNodes(list(true))[0]).toMatchObject({ name: 'bare2', cordoned: true })
  for (const other of [false, undefined]) expect(parseNodes(list(other))[0]).not.toHaveProperty('cordoned')
})
