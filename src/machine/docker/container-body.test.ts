import { describe, expect, it } from 'vitest'
import { container } from './container.fixture.js'
import { containerBody } from './container-body.js'
import { readContainer } from './read-container.js'

describe('containerBody', () => {
  it('writes a node down as the engine wants it', () => {
    const body = containerBody(
      container({
        name: 'airlift-dev-master-0',
        image: 'rancher/k3s:v1',
        entrypoint: ['/bin/airlift-entry'],
        command: ['server'],
        env: { PATH: '/bin', HTTP_PROXY: 'http://p=1' },
        privileged: true,
        tmpfs: { '/run': '', '/var/run': 'size=64m' },
        mounts: [
          { kind: 'volume', source: 'v', target: '/var/lib/rancher/k3s', readOnly: false },
          { kind: 'bind', source: '/src', target: '/src', readOnly: true, propagation: 'rshared' },
          { kind: 'bind', source: '/lib/modules', target: '/lib/modules', readOnly: true, optional: true },
        ],
        ports: [
          { address: '127.0.0.1', hostPort: 6443, containerPort: 6443, protocol: 'tcp' },
          { address: '::1', hostPort: 0, containerPort: 6443, protocol: 'tcp' },
        ],
        network: 'airlift-dev',
        address: '10.89.0.3',
        restart: 'always',
        memoryBytes: 2 ** 31,
        cpus: 1.5,
        dns: ['10.0.0.53'],
        ulimits: [{ name: 'nofile', soft: 1, hard: -1 }],
        usernsMode: 'host',
      }),
    )
    expect(body).toMatchObject({
      Entrypoint: ['/bin/airlift-entry'],
      Cmd: ['server'],
      Env: ['PATH=/bin', 'HTTP_PROXY=http://p=1'],
      ExposedPorts: { '6443/tcp': {} },
      HostConfig: {
        Privileged: true,
        NanoCpus: 1_500_000_000,
        Memory: 2 ** 31,
        PortBindings: {
          '6443/tcp': [
            { HostIp: '127.0.0.1', HostPort: '6443' },
            { HostIp: '::1', HostPort: '' },
          ],
        },
        // The engine makes a path of these that is not there, and refuses one of those.
        Binds: ['/lib/modules:/lib/modules:ro'],
        Mounts: [
          { Type: 'volume', Source: 'v', Target: '/var/lib/rancher/k3s', ReadOnly: false },
          { Type: 'bind', BindOptions: { Propagation: 'rshared' } },
        ],
        Dns: ['10.0.0.53'],
        Ulimits: [{ Name: 'nofile', Soft: 1, Hard: -1 }],
        RestartPolicy: { Name: 'always' },
        UsernsMode: 'host',
      },
      NetworkingConfig: { EndpointsConfig: { 'airlift-dev': { IPAMConfig: { IPv4Address: '10.89.0.3' } } } },
    })
  })

  it('fixes the address of each family', () => {
    const config = container({ name: 'a', network: 'n', address: '10.89.0.3', address6: 'fd00:89::3' })
    expect(containerBody(config).NetworkingConfig?.EndpointsConfig).toEqual({
      n: { IPAMConfig: { IPv4Address: '10.89.0.3', IPv6Address: 'fd00:89::3' } },
    })
  })

  it('leaves to the image and the engine what is not said', () => {
    const body = containerBody(container({ name: 'a', network: 'host' }))
    expect(body).not.toHaveProperty('Entrypoint')
    expect(body).not.toHaveProperty('NetworkingConfig')
    expect(body.HostConfig).not.toHaveProperty('Memory')
  })

  it('asks for GPUs by number or by id, never both', () => {
    const gpus = (count: number, ids: readonly string[]) =>
      containerBody(container({ name: 'a', gpus: { count, ids, capabilities: ['gpu'] } })).HostConfig
        .DeviceRequests
    expect(gpus(-1, [])).toEqual([{ Driver: '', Count: -1, DeviceIDs: [], Capabilities: [['gpu']] }])
    const cdi = { count: 0, ids: ['nvidia.com/gpu=all'], capabilities: ['gpu'], driver: 'cdi' } as const
    expect(containerBody(container({ name: 'a', gpus: cdi })).HostConfig?.DeviceRequests).toEqual([
      { Driver: 'cdi', Count: 0, DeviceIDs: ['nvidia.com/gpu=all'], Capabilities: [['gpu']] },
    ])
    expect(gpus(-1, ['0', '2'])).toEqual([
      { Driver: '', Count: 0, DeviceIDs: ['0', '2'], Capabilities: [['gpu']] },
    ])
  })
})

describe('readContainer', () => {
  it('knows the ports and the address of a container that does not run', () => {
    const found = readContainer({
      Id: '4f',
      Name: '/airlift-dev-lb',
      State: { Status: 'exited', ExitCode: 137 },
      Config: { Image: 'x', Labels: null },
      HostConfig: { PortBindings: { '80/tcp': [{ HostIp: '', HostPort: '8080' }], '53/udp': null } },
      NetworkSettings: {
        Ports: {},
        Networks: { n: { IPAddress: '', IPAMConfig: { IPv4Address: '10.1.0.2' } } },
      },
    })
    expect(found).toMatchObject({
      name: 'airlift-dev-lb',
      state: 'exited',
      exitCode: 137,
      labels: {},
      addresses: { n: '10.1.0.2' },
      ports: [{ address: '0.0.0.0', hostPort: 8080, containerPort: 80, protocol: 'tcp' }],
    })
  })

  it('knows the states of Podman, and takes one that it does not know for dead', () => {
    const state = (Status: string): string => readContainer({ State: { Status } }).state
    expect(['configured', 'stopped', 'stopping', 'running', 'removing'].map(state)).toEqual([
      'created',
      'exited',
      'running',
      'running',
      'removing',
    ])
    expect(state('other')).toBe('dead')
  })
})
