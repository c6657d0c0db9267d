import { describe, expect, it } from 'vitest'
import { parseApiPort } from './api-port.js'
import { parseEnv } from './env.js'
import { splitFilteredText } from './filter.js'
import { mergeHostAliases, parseHostAlias } from './host-aliases.js'
import { checkImage } from './image.js'
import { parseK3sArg } from './k3s-args.js'
import { parseRuntimeLabel } from './runtime-labels.js'

describe('splitFilteredText', () => {
  it.each([
    ['a', { body: 'a' }],
    ['a@b', { body: 'a', filter: 'b' }],
    ['a\\@b', { body: 'a@b' }],
    ['a\\@b\\@c@d;e', { body: 'a@b@c', filter: 'd;e' }],
    ['a@b@c', { body: 'a', filter: 'b@c' }],
    ['a\\b', { body: 'a\\b' }],
    ['@a', { body: '', filter: 'a' }],
  ])('%s', (text, expected) => expect(splitFilteredText(text)).toEqual(expected))
})

describe('parseEnv', () => {
  const own = { HERE: 'from here', EMPTY: '' }
  it.each([
    ['A=b', { key: 'A', value: 'b' }],
    ['A=b=c', { key: 'A', value: 'b=c' }],
    ['A=', { key: 'A', value: '' }],
    ['A=u\\@h@server:0', { key: 'A', value: 'u@h', filter: 'server:0' }],
    ['HERE', { key: 'HERE', value: 'from here' }],
    ['HERE@agents:*', { key: 'HERE', value: 'from here', filter: 'agents:*' }],
    ['EMPTY', { key: 'EMPTY', value: '' }],
    ['GONE', { key: 'GONE' }],
    ['toString', { key: 'toString' }],
    ['constructor=x', { key: 'constructor', value: 'x' }],
  ])('reads %s', (text, expected) => expect(parseEnv(text, own)).toEqual(expected))

  it.each([
    ['=x', '"" is not the name of a variable'],
    ['1A=x', '"1A" is not the name of a variable'],
    ['A B=x', '"A B" is not the name of a variable'],
    ['K3S_TOKEN=geheim', 'airlift sets K3S_TOKEN itself'],
    ['K3S_URL=https://x', 'airlift sets K3S_URL itself'],
  ])('refuses %s', (text, message) => expect(parseEnv(text, own)).toMatchObject({ message }))

  it('does not show values', () => {
    const refused = [
      parseEnv('K3S_TOKEN=geheim', own),
      parseEnv('1A=geheim', own),
      parseEnv('A=geheim\0', own),
    ]
    for (const problem of refused) {
      expect(problem).toHaveProperty('message')
      expect(JSON.stringify(problem)).not.toContain('geheim')
    }
  })
})

describe('parseRuntimeLabel', () => {
  it.each([
    ['team=web', { key: 'team', value: 'web' }],
    ['team', { key: 'team', value: '' }],
    ['a.b/c-d=x=y@workers:*', { key: 'a.b/c-d', value: 'x=y', filter: 'workers:*' }],
    ['mail=a\\@b', { key: 'mail', value: 'a@b' }],
  ])('reads %s', (text, expected) => expect(parseRuntimeLabel(text)).toEqual(expected))

  it.each([
    ['=x', 'is not the key of a label'],
    ['a b=x', 'is not the key of a label'],
    ['airlift=x', 'the label "airlift" is one of airlift\'s own'],
    ['airlift.cluster=x', "one of airlift's own"],
    ['Airlift.role=x', "one of airlift's own"],
  ])('refuses %s', (text, message) => {
    expect(parseRuntimeLabel(text)).toMatchObject({ message: expect.stringContaining(message) })
  })
})

describe('parseK3sArg', () => {
  it.each([
    ['--debug', { arg: '--debug', key: 'debug' }],
    [
      '--disable=traefik@server:*',
      { arg: '--disable=traefik', key: 'disable', filter: 'server:*', onlyRole: 'master' },
    ],
    [
      '--kubelet-arg=v=4@agents[0,2-3]',
      { arg: '--kubelet-arg=v=4', key: 'kubelet-arg', filter: 'agents[0,2-3]' },
    ],
    [
      '--disable-apiserver-lb',
      { arg: '--disable-apiserver-lb', key: 'disable-apiserver-lb', onlyRole: 'worker' },
    ],
    ['--tls-san=a.lan', { arg: '--tls-san=a.lan', key: 'tls-san', onlyRole: 'master' }],
    ['--kubelet-arg=x=a\\@b', { arg: '--kubelet-arg=x=a@b', key: 'kubelet-arg' }],
    ['-v=4', { arg: '-v=4', key: 'v' }],
  ])('reads %s', (text, expected) => expect(parseK3sArg(text)).toEqual(expected))

  it('warns of what k3s does not have', () => {
    expect(parseK3sArg('--disabel=traefik')).toMatchObject({
      warning: '--k3s-arg: k3s has no option "disabel"; it is passed on as it is; did you mean "disable"?',
    })
  })

  it.each([
    ['disable=traefik', 'is not an argument of k3s', '--k3s-arg=--OPTION=VALUE'],
    ['', 'is not an argument of k3s', '--k3s-arg=--OPTION=VALUE'],
    ['--server=https://x', '--server cannot be given', 'airlift writes it'],
    ['--data-dir=/x', '--data-dir cannot be given', '/var/lib/rancher/k3s'],
    ['--node-name=x', '--node-name cannot be given', 'its name and address'],
    ['--bind-address=127.0.0.1', '--bind-address cannot be given', 'its name and address'],
    ['--supervisor-port=9345', '--supervisor-port cannot be given', 'set https-listen-port'],
    ['--cluster-init@server:0', 'decides how the cluster is put together', 'use --set cluster-init=true'],
    [
      '--https-listen-port=7443',
      'decides how the cluster is put together',
      'use --set https-listen-port=7443',
    ],
    ['--token=geheim', 'in the list of processes', 'use --set token=…'],
    [
      '--kube-apiserver-arg=oidc-client-secret=geheim@masters:*',
      'among the labels of the container',
      'use --set kube-apiserver-arg=…',
    ],
    ['--vmodule=http://u:geheim\\@h', 'among the labels of the container', 'use --set vmodule=…'],
    ['--lb-server-port=99999', '"99999" of "lb-server-port" is not a port', '--lb-server-port=6443'],
    ['--v=x', '"x" of "v" is not a whole number', 'write --k3s-arg=--v=5'],
    ['--debug=yes', '"yes" of --debug is not true or false', 'write --k3s-arg=--debug'],
    ['--flannel-backend', '--flannel-backend has no value', 'write --k3s-arg=--flannel-backend=VALUE'],
    [
      '--datastore-endpoint=mysql://u:geheim\\@h',
      'in the list of processes',
      'use --set datastore-endpoint=…',
    ],
  ])('refuses %s', (text, message, hint) => {
    const problem = parseK3sArg(text)
    expect(problem).toMatchObject({
      message: expect.stringContaining(message),
      hint: expect.stringContaining(hint),
    })
    expect(JSON.stringify(problem)).not.toContain('geheim')
  })
})

describe('parseHostAlias', () => {
  it.each([
    ['10.1.2.3:git.lan', { ip: '10.1.2.3', names: ['git.lan'] }],
    ['10.1.2.3:git.lan,Reg.lan,git.lan', { ip: '10.1.2.3', names: ['git.lan', 'reg.lan'] }],
    ['[fd00::1]:git.lan', { ip: 'fd00::1', names: ['git.lan'] }],
    ['fd00::1:git.lan', { ip: 'fd00::1', names: ['git.lan'] }],
  ])('reads %s', (text, expected) => expect(parseHostAlias(text)).toEqual(expected))

  it.each([
    ['git.lan', 'is not an address with names'],
    ['git.lan:10.1.2.3', '"git.lan" is not an IP address'],
    ['10.1.2.300:git', '"10.1.2.300" is not an IP address'],
    ['10.1.2.3:', '"" is not a host name'],
    ['10.1.2.3:a,,b', '"" is not a host name'],
    ['10.1.2.3:a b', '"a b" is not a host name'],
    ['10.1.2.3:localhost', 'the name "localhost" has its address already'],
    ['10.1.2.3:host.airlift.internal', 'has its address already'],
  ])('refuses %s', (text, message) => {
    expect(parseHostAlias(text)).toMatchObject({ message: expect.stringContaining(message) })
  })

  it('puts the names of an address together, and refuses two addresses of a name', () => {
    const a = { ip: '10.0.0.1', names: ['a', 'b'] }
    expect(
      mergeHostAliases([a, { ip: '10.0.0.2', names: ['c'] }, { ip: '10.0.0.1', names: ['b', 'd'] }]),
    ).toEqual([
      { ip: '10.0.0.1', names: ['a', 'b', 'd'] },
      { ip: '10.0.0.2', names: ['c'] },
    ])
    expect(mergeHostAliases([a, { ip: '10.0.0.2', names: ['b'] }])).toMatchObject({
      message: '"b" is given the addresses 10.0.0.1 and 10.0.0.2',
    })
  })
})

describe('parseApiPort', () => {
  const local = { lookup: async (name: string) => (name === 'dev.lan' ? '192.168.1.5' : undefined) }
  it.each([
    ['6550', { address: '127.0.0.1', port: 6550 }],
    ['random', { address: '127.0.0.1' }],
    ['0', { address: '127.0.0.1' }],
    ['0.0.0.0:6550', { address: '0.0.0.0', port: 6550 }],
    ['[::]:6550', { address: '::', port: 6550 }],
    ['[::1]:6550', { host: '::1', address: '::1', port: 6550 }],
    ['192.168.1.7:random', { host: '192.168.1.7', address: '192.168.1.7' }],
    ['localhost:6550', { host: 'localhost', address: '127.0.0.1', port: 6550 }],
    ['dev.lan:6550', { host: 'dev.lan', address: '192.168.1.5', port: 6550 }],
  ])('reads %s', async (text, expected) => expect(await parseApiPort(text, local)).toEqual(expected))

  it.each([
    ['', '"" is not a port'],
    ['abc', '"abc" is not a port'],
    ['65536', '"65536" is not a port'],
    ['-1', '"-1" is not a port'],
    [':6550', '":6550" is not [HOST:]PORT'],
    ['::1', '"::1" is not [HOST:]PORT'],
    ['a_b/c:6550', 'is not a host name or address'],
    ['gone.lan:6550', '"gone.lan" of --api-port has no address here'],
  ])('refuses %s', async (text, message) => {
    expect(await parseApiPort(text, local)).toMatchObject({ message: expect.stringContaining(message) })
  })
})

describe('checkImage', () => {
  it.each([
    'rancher/k3s:v1.33.1-k3s1',
    'rancher/k3s',
    'registry.lan:5000/team/k3s:v1',
    'localhost/k3s',
    `rancher/k3s@sha256:${'a'.repeat(64)}`,
    `sha256:${'0'.repeat(64)}`,
  ])('takes %s', (image) => expect(checkImage(image)).toBeUndefined())

  it.each(['latest', 'stable', '+v1.33'])('tells what there is instead of the channel %s', (image) => {
    expect(checkImage(image)).toMatchObject({
      message: `"${image}" is a channel of releases, not an image`,
      hint: expect.stringContaining('--version'),
    })
  })

  it.each(['', 'Rancher/K3s:x', 'a b', 'a:b:c', 'a/', '-x', 'a@sha256:1'])('refuses "%s"', (image) => {
    expect(checkImage(image)).toMatchObject({ message: `"${image}" is not the name of an image` })
  })
})
