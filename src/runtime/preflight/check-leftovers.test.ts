import { expect, it } from 'vitest'
import { checkLeftovers } from './check-leftovers.js'
import { bare, machines, spec } from './preflight.fixture.js'

it('a drop-in of k3s is the own of a user whose machine is of the cluster, and a leftover on others', () => {
  const leftovers = ['10-a', '20-b'].map((name) => ({ what: 'k3s-drop-in', evidence: `/etc/${name}.yaml` }))
  const told = (managed: typeof bare): string[] => {
    const all = machines(spec(1, 0), () => ({ leftovers, managed }))
    return all.flatMap((machine) =>
      checkLeftovers({ spec: spec(1, 0), machine, machines: all }).map(({ code, fix }) => `${code}: ${fix}`),
    )
  }
  expect(told(bare)).toEqual([
    'leftover: remove /etc/10-a.yaml; what is to stay belongs into --config',
    'leftover: remove /etc/20-b.yaml; what is to stay belongs into --config',
  ])
  expect(told({ ...bare, record: { name: 'prod' } })).toEqual([])
})
