import { describe, expect, it } from 'vitest'
import type { ErrorCode } from '../../core/errors.js'
import { AirliftError } from '../../core/errors.js'
import type { EngineFailure, EngineSubject } from './engine-error.js'
import { engineError } from './engine-error.js'

const url = 'unix:///var/run/docker.sock'
const about = (kind: EngineSubject['kind'], verb: string, name = 'airlift-dev-master-0'): EngineSubject => ({
  kind,
  name,
  verb,
  url,
})
const start = about('container', 'start container')
const create = about('container', 'create container')
const network = about('network', 'create network', 'airlift-dev')
const pull = about('image', 'pull image', 'rancher/k3s:v9')
const engine = about('engine', 'tell its version', url)

/** What engines say, as it was seen or as it stands in their source, and what is made of it. */
const SAID: readonly (readonly [EngineSubject, EngineFailure, ErrorCode, RegExp])[] = [
  ...[
    'Cannot read IPv6 setup for bridge br-4f: open /proc/sys/net/ipv6/conf/br-4f/disable_ipv6: no such file or directory',
    "Failed to Setup IP tables: Unable to enable NAT rule:  (iptables failed: ip6tables --wait -t nat -I POSTROUTING -s fd00::/64 ! -o br-4f -j MASQUERADE: ip6tables v1.8.7 (legacy): can't initialize ip6tables table `nat': Table does not exist)",
  ].map(
    (text) =>
      [network, { status: 500, text }, 'E_ENGINE', /cannot create network airlift-dev with IPv6/] as const,
  ),
  ...[
    'could not select device driver "" with capabilities: [[gpu]]',
    'CDI device injection failed: unresolvable CDI devices nvidia.com/gpu=all',
    'OCI runtime create failed: nvidia-container-cli: initialization error: nvml error: driver not loaded: unknown',
  ].map((text) => [start, { status: 500, text }, 'E_ENGINE', /with GPUs: /] as const),
  [
    start,
    {
      status: 500,
      text: 'OCI runtime create failed: container_linux.go:380: starting container process caused: process_linux.go:545: container init caused: open /proc/sys/net/ipv6/conf/all/disable_ipv6: no such file or directory: unknown',
    },
    'E_ENGINE',
    /with IPv6/,
  ],
  [
    create,
    {
      status: 409,
      text: 'Conflict. The container name "/airlift-dev-master-0" is already in use by container "4f". You have to remove (or rename) that container to be able to reuse that name.',
    },
    'E_ENGINE_CONFLICT',
    /name airlift-dev-master-0 is taken/,
  ],
  [
    create,
    {
      status: 500,
      text: 'creating container storage: the container name "airlift-dev-master-0" is already in use by 4f. You have to remove that container to be able to reuse that name: that name is already in use',
    },
    'E_ENGINE_CONFLICT',
    /name airlift-dev-master-0 is taken/,
  ],
  [
    start,
    {
      status: 500,
      text: 'driver failed programming external connectivity on endpoint x (4f): Bind for 127.0.0.1:6443 failed: port is already allocated',
    },
    'E_ENGINE_CONFLICT',
    /port 127\.0\.0\.1:6443 is taken/,
  ],
  [
    start,
    {
      status: 500,
      text: 'driver failed programming external connectivity on endpoint x (4f): Error starting userland proxy: listen tcp4 0.0.0.0:80: bind: address already in use',
    },
    'E_ENGINE_CONFLICT',
    /port 0\.0\.0\.0:80 is taken/,
  ],
  [
    start,
    {
      status: 500,
      text: 'failed to set up container networking: driver failed programming external connectivity on endpoint x: failed to bind host port for 127.0.0.1:8080:172.20.0.2:80/tcp: address already in use',
    },
    'E_ENGINE_CONFLICT',
    /taken/,
  ],
  [
    start,
    {
      status: 500,
      text: 'Ports are not available: exposing port TCP 127.0.0.1:6443 -> 0.0.0.0:0: listen tcp 127.0.0.1:6443: bind: address already in use',
    },
    'E_ENGINE_CONFLICT',
    /port 127\.0\.0\.1:6443 is taken/,
  ],
  [start, { status: 403, text: 'Address already in use' }, 'E_ENGINE_CONFLICT', /address is taken/],
  [
    start,
    {
      status: 500,
      text: 'IPAM error: requested ip address 10.1.0.3 is already allocated to container ID 4f',
    },
    'E_ENGINE_CONFLICT',
    /address is taken/,
  ],
  [
    start,
    {
      status: 400,
      text: 'user specified IP address is supported only when connecting to networks with user configured subnets',
    },
    'E_ENGINE_CONFLICT',
    /the network was made without --subnet/,
  ],
  [
    network,
    { status: 403, text: 'Pool overlaps with other one on this address space' },
    'E_ENGINE_CONFLICT',
    /create network airlift-dev: its subnet overlaps/,
  ],
  [
    network,
    { status: 500, text: 'subnet 10.89.0.0/24 is already used on the host or by another config' },
    'E_ENGINE_CONFLICT',
    /overlaps/,
  ],
  [
    network,
    { status: 409, text: 'network with name airlift-dev already exists' },
    'E_ENGINE_CONFLICT',
    /name airlift-dev is taken/,
  ],
  [
    create,
    { status: 404, text: 'No such image: rancher/k3s:v9' },
    'E_IMAGE_MISSING',
    /image rancher\/k3s:v9 is not on the engine/,
  ],
  [
    pull,
    { status: 404, text: 'manifest for rancher/k3s:v9 not found: manifest unknown: manifest unknown' },
    'E_IMAGE_MISSING',
    /rancher\/k3s:v9 cannot be pulled/,
  ],
  [
    pull,
    {
      status: 500,
      text: 'Get "https://registry-1.docker.io/v2/": dial tcp: lookup registry-1.docker.io: no such host',
    },
    'E_IMAGE_MISSING',
    /cannot be pulled: .*no such host/,
  ],
  [
    pull,
    { text: 'write /var/lib/docker/tmp/GetImageBlob1: no space left on device' },
    'E_DISK_FULL',
    /no room on the engine's disk to pull image/,
  ],
  [
    about('container', 'put files into container'),
    {
      status: 500,
      text: 'Error processing tar file(exit status 1): write /bin/k3s: no space left on device',
    },
    'E_DISK_FULL',
    /put files into container airlift-dev-master-0/,
  ],
  [
    create,
    { status: 403, text: 'authorization denied by plugin opa: privileged containers are not allowed' },
    'E_ENGINE_PRIVILEGE',
    /refuses to create container/,
  ],
  [
    create,
    {
      status: 400,
      text: 'privileged mode is incompatible with user namespaces.  You must run the container in the host namespace when running privileged mode',
    },
    'E_ENGINE_PRIVILEGE',
    /incompatible with user namespaces/,
  ],
  [
    engine,
    { text: 'connect EACCES /var/run/docker.sock', errno: 'EACCES' },
    'E_ENGINE_UNREACHABLE',
    /unix:\/\/\/var\/run\/docker\.sock: permission denied/,
  ],
  [engine, { text: 'connect ENOENT', errno: 'ENOENT' }, 'E_ENGINE_UNREACHABLE', /no such socket/],
  [engine, { text: 'connect', errno: 'ECONNREFUSED' }, 'E_ENGINE_UNREACHABLE', /connection refused/],
  [start, { text: 'socket hang up', errno: 'ECONNRESET' }, 'E_ENGINE_UNREACHABLE', /socket hang up/],
  [
    engine,
    { text: 'self-signed certificate in certificate chain', errno: 'SELF_SIGNED_CERT_IN_CHAIN' },
    'E_ENGINE_UNREACHABLE',
    /self-signed/,
  ],
  [
    about('container', 'run a command in container'),
    { status: 409, text: 'Container 4f is not running' },
    'E_ENGINE',
    /is not running/,
  ],
  [start, { status: 404, text: 'No such container: x' }, 'E_ENGINE_NOT_FOUND', /No such container: x/],
  [
    start,
    { status: 404, text: 'network airlift-dev not found' },
    'E_ENGINE_NOT_FOUND',
    /network airlift-dev/,
  ],
  [
    about('volume', 'remove volume', 'v'),
    { status: 409, text: 'remove v: volume is in use - [4f]' },
    'E_ENGINE_CONFLICT',
    /cannot remove volume v: .*in use/,
  ],
  [
    about('network', 'remove network', 'n'),
    { status: 403, text: 'error while removing network: network n id 4f has active endpoints' },
    'E_ENGINE_CONFLICT',
    /active endpoints/,
  ],
  [
    engine,
    {
      status: 400,
      text: 'client version 1.41 is too old. Minimum supported API version is 1.44, please upgrade',
    },
    'E_ENGINE',
    /no version of the API in common/,
  ],
  [
    start,
    { status: 500, text: 'something else' },
    'E_ENGINE',
    /start container .*something else \(HTTP 500\)/,
  ],
]

describe('engineError', () => {
  it.each(SAID)('%o says %o: %s', (subject, failure, code, message) => {
    const error = engineError(failure, subject)
    expect(error.code).toBe(code)
    expect(error.message).toMatch(message)
    expect(error.message).not.toMatch(/\.$/)
    expect(error.hint).toBeTruthy()
    expect(error.machine).toBe(subject.kind === 'container' ? subject.name : url)
  })

  it('keeps what the engine said in the log when the message says it otherwise', () => {
    const text = 'Pool overlaps with other one on this address space'
    expect(engineError({ status: 403, text }, network).log).toEqual([text])
  })

  it('passes on an error of ours, such as that of a source', () => {
    const own = new AirliftError('E_LOCAL_FILE', 'cannot read it')
    expect(engineError({ text: 'write EPIPE', cause: own }, start)).toBe(own)
  })
})
