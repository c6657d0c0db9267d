import { describe, expect, it } from 'vitest'
import type { Plan } from '../../plan/plan.js'
import { sha256 } from '../../rootfs/digest.js'
import type { World } from '../runtime.js'
import { configOf, creations, outline, planAll, settled } from './plan.fixture.js'
import { testContainers, testContainerWorld } from './world.fixture.js'

describe('a cluster', () => {
  it('joins through the first master where no load balancer is wanted', () => {
    const spec = testContainers(3, 1, { loadBalancer: false })
    const plan = planAll(spec, testContainerWorld(spec))
    expect(creations(plan).map((made) => made.config.name)).not.toContain('airlift-dev-lb')
    expect(configOf(plan, 'airlift-dev-worker-0')).toContain('server: "https://10.118.154.3:6443"')
  })

  it('leaves masters alone that joined through the load balancer', () => {
    const spec = testContainers(3, 0)
    const world = settled(spec, testContainerWorld(spec))
    const configured = (name: string, server: string): Plan => {
      const config = configOf(planAll(spec, testContainerWorld(spec)), name)
      const text = config.replace('https://10.118.154.3:', `https://${server}:`)
      const machines = world.machines.map((machine) => {
        if (machine.name !== name) return machine
        const files = machine.facts.managed.files.map((file) =>
          file.path === '/etc/rancher/k3s/config.yaml' ? { ...file, sha256: sha256(text) } : file,
        )
        return { ...machine, facts: { ...machine.facts, managed: { ...machine.facts.managed, files } } }
      })
      return planAll(spec, { ...world, machines })
    }
    expect(configured('airlift-dev-master-1', '10.118.154.2').steps).toEqual([])
    expect(outline(configured('airlift-dev-master-1', '10.118.154.9'))[0]).toMatch(
      /^master-1\/start \[write container.restart/,
    )
  })

  it('leaves nodes alone whose master has left, as long as they are ready', () => {
    const full = testContainers(3, 1, { loadBalancer: false })
    const world = settled(full, testContainerWorld(full))
    const spec = { ...full, masters: full.masters.slice(1) }
    const { engine } = world
    if (!engine) throw new Error('no engine')
    const gone = full.masters[0]?.target.host
    const without = (ready: boolean): World => ({
      ...world,
      engine: { ...engine, containers: engine.containers.filter(({ name }) => name !== gone) },
      machines: world.machines
        .filter(({ name }) => name !== gone)
        .map(({ facts, installed: { nodes, ...installed }, ...machine }) => {
          const fragments = { ...facts.managed.fragments, 'k3s-server': 'https://10.118.154.3:6443\n' }
          return {
            ...machine,
            facts: { ...facts, managed: { ...facts.managed, fragments } },
            installed: {
              ...installed,
              ...(nodes ? { nodes: nodes.map((node) => ({ ...node, ready })) } : {}),
            },
          }
        }),
    })
    expect(outline(planAll(spec, without(true)))).toEqual([])
    expect(outline(planAll(spec, without(false)))).toContainEqual(
      expect.stringMatching(/^worker-0\/start \[write container\.restart/),
    )
  })
})
