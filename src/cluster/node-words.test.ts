import { describe, expect, it } from 'vitest'
import type { Filterable } from './filters.js'
import { otherRoleProblem, selectOfRole, splitNodeWords } from './node-words.js'
import type { SpecProblem } from './problems.js'

const node = (role: 'master' | 'worker', index: number, name: string, host: string): Filterable => ({
  role,
  index,
  names: [name, `root@${host}`, host],
})
const nodes = [
  node('master', 0, 'bare1', '10.0.0.1'),
  node('master', 1, 'bare2', '10.0.0.2'),
  node('worker', 0, 'bare3', '10.0.0.3'),
  node('worker', 1, 'bare4', '10.0.0.4'),
  node('worker', 2, 'bare5', '10.0.0.5'),
]
const select = (role: 'master' | 'worker', text: string) => {
  const problems: SpecProblem[] = []
  const { places, elsewhere, unknown } = selectOfRole(splitNodeWords(text), role, nodes, problems)
  for (const { word } of elsewhere) problems.push(otherRoleProblem(word, role, 'E_REMOVE_REFUSED'))
  return { places, unknown, problems: problems.map((problem) => `${problem.code} ${problem.message}`) }
}

it.each([
  ['bare3,bare4', ['bare3', 'bare4']],
  ['workers:0,2-3,bare9', ['workers:0,2-3', 'bare9']],
  ['agents[0,2-3] root@10.0.0.[1,3]', ['agents[0,2-3]', 'root@10.0.0.[1,3]']],
  ['2,3', ['2', '3']],
])('splits %s', (text, words) => expect(splitNodeWords(text)).toEqual(words))

describe('selects workers', () => {
  it.each([
    ['bare3', [2]],
    ['workers:1', [3]],
    ['workers:0,1-2', [2, 3, 4]],
    ['agents[0,2]', [2, 4]],
    ['root@10.0.0.[3-4],bare3', [2, 3]],
    ['all', [2, 3, 4]],
  ])('by %s', (text, places) => {
    expect(select('worker', text)).toEqual({ places, unknown: [], problems: [] })
  })

  it('and leaves what may be another host to be asked', () => {
    expect(select('worker', 'bare9,root@10.0.0.[5-6]')).toEqual({
      places: [4],
      unknown: ['bare9', 'root@10.0.0.6'],
      problems: [],
    })
  })
})

it.each([
  ['worker', 'bare1', 'E_REMOVE_REFUSED "bare1" is a master'],
  ['worker', 'masters:0', 'E_REMOVE_REFUSED "masters:0" is a master'],
  ['master', 'workers:*', 'E_REMOVE_REFUSED "workers:*" is a worker'],
  ['worker', 'workers:3', 'E_HOST_INVALID the filter "workers:3" matches nothing at 3'],
  ['worker', '2', 'E_HOST_INVALID "2" is a number'],
  [
    'worker',
    'loadbalancer',
    'E_HOST_INVALID the filter "loadbalancer" matches nothing: there is no load balancer',
  ],
] as const)('%s: refuses %s', (role, text, problem) => {
  expect(select(role, text)).toEqual({ places: [], unknown: [], problems: [problem] })
})
