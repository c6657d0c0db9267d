import { describe, expect, it } from 'vitest'
import { type ContainerNodeSpec, containerName, PLAIN_CONTAINER } from '../cluster/container-spec.js'
import type { Given, NodeSpec, Role } from '../cluster/spec.js'
import { commonOptions, withCommon } from './common-options.js'

function node(
  role: Role,
  index: number,
  container: Partial<ContainerNodeSpec> = {},
  given?: Given,
  more: Partial<NodeSpec> = {},
): NodeSpec {
  const name = containerName('dev', role, index)
  return {
    target: { kind: 'container', text: name, host: name },
    role,
    labels: {},
    taints: [],
    container: { ...PLAIN_CONTAINER, ...container },
    ...(given ? { given } : {}),
    ...more,
  }
}
const volume = (source: string, target: string): ContainerNodeSpec['mounts'][number] => ({
  source,
  kind: 'volume',
  target,
  readOnly: false,
  options: [],
})
const joined = (joining: NodeSpec, there: readonly NodeSpec[]): NodeSpec =>
  withCommon(joining, commonOptions(joining.role, there))

describe('a node that joins', () => {
  const full: Partial<ContainerNodeSpec> = {
    mounts: [volume('named', '/named'), volume('airlift-dev-worker-0-mount-own', '/own')],
    env: { COLOUR: 'red', ONE: '1' },
    k3sArgs: ['--debug', '--kubelet-arg=v=4'],
    files: [{ path: '/etc/f', content: Buffer.from('f'), mode: '0644' }],
    runtimeLabels: { team: 'x' },
    memoryBytes: 1e9,
    cpus: 2,
  }
  const decorated = {
    labels: { zone: 'a' },
    taints: [{ key: 'k', value: 'v', effect: 'NoSchedule' as const }],
  }

  it('gets all that those of its role have, with volumes of its own, and nothing that one has alone', () => {
    const first = node('worker', 0, full, { '--env COLOUR': 'all', '--env ONE': 'node' }, decorated)
    const found = joined(node('worker', 1), [node('master', 0, { env: { M: '1' } }), first])
    expect(found).toMatchObject(decorated)
    expect(found.container).toEqual({
      ...full,
      env: { COLOUR: 'red' },
      mounts: [volume('named', '/named'), volume('airlift-dev-worker-1-mount-own', '/own')],
    })
    expect(found.given).toMatchObject({ '--env COLOUR': 'all', '--volume /own': 'role', '--memory': 'role' })
  })

  it('gets of options that nobody noted those alone that all of its role have', () => {
    const there = [
      node('worker', 0, { env: { A: '1', B: '1' }, k3sArgs: ['--debug'] }),
      node('worker', 1, { env: { A: '1', B: '2' } }),
    ]
    expect(joined(node('worker', 2), there).container).toMatchObject({ env: { A: '1' }, k3sArgs: [] })
  })

  it('keeps what it was given itself, and leaves that to itself', () => {
    const there = [
      node(
        'master',
        0,
        { env: { A: '1' }, k3sArgs: ['--flannel-backend=host-gw', '--disable=traefik'], memoryBytes: 1e9 },
        { '--env A': 'all', '--k3s-arg --disable=traefik': 'role' },
      ),
    ]
    const own = {
      env: { A: '2' },
      k3sArgs: ['--flannel-backend=vxlan', '--disable=metrics-server', '--disable=traefik'],
      memoryBytes: 2e9,
    }
    const found = joined(node('master', 1, own, { '--env A': 'all' }), there)
    expect(found.container).toMatchObject({
      env: { A: '2' },
      k3sArgs: ['--disable=traefik', '--flannel-backend=vxlan', '--disable=metrics-server'],
      memoryBytes: 2e9,
    })
    expect(found.given).toEqual({
      '--env A': 'node',
      '--k3s-arg --disable=metrics-server': 'node',
      '--k3s-arg --disable=traefik': 'role',
      '--k3s-arg --flannel-backend=vxlan': 'node',
      '--memory': 'node',
    })
    // The next one gets what the cluster has.
    expect(joined(node('master', 2), [...there, found]).container).toMatchObject({
      env: { A: '1' },
      k3sArgs: ['--flannel-backend=host-gw', '--disable=traefik'],
      memoryBytes: 1e9,
    })
  })

  it('gets as the first of its role what was given for every master and worker', () => {
    const own = { env: { A: '1', M: '1', O: '1' }, k3sArgs: ['--disable=traefik', '--debug'] }
    const given = { '--env A': 'all', '--env M': 'role', '--k3s-arg --disable=traefik': 'role' } as const
    const master = node('master', 0, own, { ...given, '--k3s-arg --debug': 'all' })
    expect(joined(node('worker', 0), [master]).container).toEqual({
      ...PLAIN_CONTAINER,
      env: { A: '1' },
      k3sArgs: ['--debug'],
    })
  })

  it('is as it was where the cluster has nothing for it', () => {
    const plain = node('worker', 1)
    expect(joined(plain, [node('worker', 0)])).toEqual(plain)
    expect(joined(plain, [])).toEqual(plain)
    const { container: _, ...host } = node('worker', 0)
    expect(joined(host, [host])).toEqual(host)
  })
})
