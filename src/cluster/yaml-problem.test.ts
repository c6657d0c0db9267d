import { expect, it } from 'vitest'
import { parseDocument, type YAMLError } from 'yaml'
import { yamlMessage } from './yaml-problem.js'

it('says what to do about a second document, and not which function would read it', () => {
  const [error] = parseDocument('a: 1\n---\nb: 2\n').errors
  expect(yamlMessage(error as YAMLError)).toBe(
    'a second document begins here, and the file may hold one only: remove it with its line of ---',
  )
})
