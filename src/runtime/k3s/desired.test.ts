import { describe, expect, it } from 'vitest'
import { Secret } from '../../core/secret.js'
import type { MachineWorld, World } from '../runtime.js'
import { worldSecrets } from './observe.js'
import { planAll, settled } from './settled.fixture.js'
import { testManifest, testSpec, testWorld } from './world.fixture.js'

describe('files of an earlier registries.yaml', () => {
  const file = (name: string) => ({
    path: `/etc/rancher/k3s/registries.d/reg.lan_5000/${name}.pem`,
    mode: '0600',
    content: Buffer.from('pem'),
  })
  const registries = { content: new Secret('mirrors: {}\n'), files: [file('ca')], mirrors: [] }
  const there = ['ca', 'cert', 'key']
    .map((name) => file(name).path)
    .concat('/etc/rancher/k3s/registries.d/note')

  /** What is planned where these files are there. */
  const removed = (spec: ReturnType<typeof testSpec>): unknown[] => {
    const bare = testWorld(spec)
    const world = settled(spec, { ...bare, secrets: new Map([...worldSecrets(spec, []), ...bare.secrets]) })
    const machines = world.machines.map((machine): MachineWorld => {
      const { facts } = machine
      const fragments = { ...facts.managed.fragments, 'k3s-registry-files': `${there.join('\n')}\n` }
      return { ...machine, facts: { ...facts, managed: { ...facts.managed, fragments } } }
    })
    return planAll(spec, { ...world, machines }).steps.flatMap(({ actions }) => actions)
  }

  it('are removed where the one of today does not name them, private keys among them', () => {
    const paths = [file('cert').path, file('key').path]
    expect(removed(testSpec(1, 1, { registries }))).toEqual([
      { kind: 'remove', paths },
      { kind: 'remove', paths },
    ])
  })

  it('stay where no registries.yaml is given', () => {
    expect(removed(testSpec(1, 1))).toEqual([])
  })
})

describe('a new image', () => {
  const spec = testSpec(1, 0)
  /** The world of a cluster that runs this release and lacks the link to an image. */
  const lacking = (version: string): World => {
    const world = settled(spec, { ...testWorld(spec), rootfs: { manifest: { ...testManifest, version } } })
    const machines = world.machines.map((machine): MachineWorld => {
      const { facts } = machine
      const files = facts.managed.files.filter(({ path }) => !path.includes('/agent/images/'))
      return { ...machine, facts: { ...facts, managed: { ...facts.managed, files } } }
    })
    return { ...world, machines }
  }
  const ids = (version: string): string[] => planAll(spec, lacking(version)).steps.map(({ id }) => id)

  it.each(['v1.30.8+k3s1', 'v1.31.4+k3s1'])(
    'restarts a k3s that looks for them only at its start: %s',
    (version) => {
      expect(ids(version)).toEqual(['bare1/install', 'bare1/start', 'bare1/ready'])
    },
  )

  it.each(['v1.30.9+k3s1', 'v1.31.5+k3s1', 'v1.32.0+k3s1'])(
    'is only put there for one that watches: %s',
    (version) => {
      expect(ids(version)).toEqual(['bare1/install'])
    },
  )
})
