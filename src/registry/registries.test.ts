import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import type { SpecProblem } from '../cluster/problems.js'
import { isAirliftError } from '../core/errors.js'
import { createSpecIo } from './local-spec-io.js'
import { loadRegistries, loadRegistriesObject } from './registries.js'

const CERT = '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n'
const KEY = '-----BEGIN EC PRIVATE KEY-----\nMHcC\n-----END EC PRIVATE KEY-----\n'
const FILES: Record<string, string> = {
  'etc/ca.crt': CERT,
  '/abs/c.pem': CERT,
  'etc/k.pem': KEY,
  'etc/enc.pem': KEY.replace('EC', 'ENCRYPTED'),
}

const load = (text: string, files = FILES) =>
  loadRegistries('etc/registries.yaml', {
    readFile: async (path) => {
      const content = path === 'etc/registries.yaml' ? text : files[path]
      if (content === undefined) throw Object.assign(new Error(path), { code: 'ENOENT' })
      return Buffer.from(content)
    },
  })
const content = async (text: string) =>
  parse((await load(text)).registries.content.reveal(), { version: '1.1' })
const failure = async (text: string) => {
  try {
    await load(text)
  } catch (error) {
    if (isAirliftError(error)) return { error, problems: (error.data?.errors ?? []) as SpecProblem[] }
    throw error
  }
  throw new Error('it was taken')
}

describe('loadRegistries', () => {
  it('takes the full schema, and names the files at their paths on the machines', async () => {
    const { registries, warnings } = await load(`
mirrors:
  docker.io:
    endpoint:
      - https://reg.lan:5000
      - "http://10.0.0.5:5000/v2/proxy"
    rewrite:
      "^library/(.*)": "mirror/$1"
  "*":
    endpoint: [reg.lan:5000]
  quay.io:
configs:
  reg.lan:5000:
    auth: { username: me, password: 0123 }
    tls:
      ca_file: ca.crt
      cert_file: /abs/c.pem
      key_file: k.pem
  "*":
    tls: { insecure_skip_verify: yes }
`)
    expect(warnings).toEqual([])
    expect(registries.mirrors).toEqual(['docker.io', '*', 'quay.io'])
    expect(registries.files.map(({ path, mode }) => [path, mode])).toEqual([
      ['/etc/rancher/k3s/registries.d/reg.lan_5000/ca.pem', '0600'],
      ['/etc/rancher/k3s/registries.d/reg.lan_5000/cert.pem', '0600'],
      ['/etc/rancher/k3s/registries.d/reg.lan_5000/key.pem', '0600'],
    ])
    expect(registries.files[0]?.content.toString()).toBe(CERT)
    expect(registries.content.reveal()).toBe(
      [
        'configs:',
        '  "*":',
        '    tls:',
        '      "insecure_skip_verify": true',
        '  "reg.lan:5000":',
        '    auth:',
        '      password: "0123"',
        '      username: "me"',
        '    tls:',
        '      "ca_file": "/etc/rancher/k3s/registries.d/reg.lan_5000/ca.pem"',
        '      "cert_file": "/etc/rancher/k3s/registries.d/reg.lan_5000/cert.pem"',
        '      "key_file": "/etc/rancher/k3s/registries.d/reg.lan_5000/key.pem"',
        'mirrors:',
        '  "*":',
        '    endpoint:',
        '      - "reg.lan:5000"',
        '  "docker.io":',
        '    endpoint:',
        '      - "https://reg.lan:5000"',
        '      - "http://10.0.0.5:5000/v2/proxy"',
        '    rewrite:',
        '      "^library/(.*)": "mirror/$1"',
        '  "quay.io": {}',
        '',
      ].join('\n'),
    )
  })

  it('takes an empty file, and the old auths', async () => {
    expect(await content('# nothing\n')).toEqual({})
    const { registries, warnings } = await load('auths:\n  https://reg.lan/v1/: { identity_token: abcd }\n')
    expect(parse(registries.content.reveal())).toEqual({
      configs: { 'reg.lan': { auth: { identity_token: 'abcd' } } },
    })
    expect(warnings[0]).toContain('registries.yaml:2: "auths" is the old form')
  })

  it.each([
    ['mirors:\n  a: {}', 1, '"mirors" is not known', 'did you mean "mirrors"?'],
    [
      'mirrors:\n  docker.io:\n    endpoints: [a]',
      3,
      'mirrors.docker.io: "endpoints" is not known',
      'did you mean "endpoint"?',
    ],
    [
      'configs:\n  a:\n    tls: { insecure_skip_verfy: true }',
      3,
      '"insecure_skip_verfy" is not known',
      'did you mean "insecure_skip_verify"?',
    ],
    ['configs:\n  a:\n    auth:\n      user: x', 4, '"user" is not known', 'known are username'],
    [
      'mirrors:\n  https://docker.io: {}',
      2,
      '"https://docker.io" begins with https://',
      'write the host only: docker.io',
    ],
    ['mirrors:\n  docker.io/library: {}', 2, 'has a path', 'docker.io'],
    ['mirrors:\n  a: { endpoint: https://b }', 2, 'mirrors.a.endpoint: is not a list', 'brackets'],
    [
      'mirrors:\n  a: { endpoint: ["ftp://b"] }',
      2,
      '"ftp://b" is neither http nor https',
      'https://reg.lan:5000',
    ],
    [
      'mirrors:\n  a: { endpoint: ["https://b:99999"] }',
      2,
      'is not the URL of a registry',
      'https://reg.lan:5000',
    ],
    ['mirrors:\n  a: { endpoint: ["https://b/?x=1"] }', 2, 'has a query', 'https://'],
    ['mirrors:\n  a: [b]', 2, 'mirrors.a: is not a mapping', 'key: value'],
    ['mirrors:\n  *: {}', 2, 'a word that begins with * has to be in quotes', '"*" has to be in quotes'],
    ['mirrors:\n  a:\n    rewrite: { "(": x }', 3, '"(" is not a regular expression', 'brackets'],
    ['mirrors:\n  a:\n    rewrite: { "^(?!x)": y }', 3, 'lookaround', 'groups'],
    [
      'mirrors:\n  a:\n    rewrite: { "^(.*)": "x/$2" }',
      3,
      'refers to group 2, but "^(.*)" has 1',
      'parentheses',
    ],
    ['mirrors:\n  a:\n    rewrite: { "^(.*)": "$1x" }', 3, '"$1x" in "$1x" is no group', 'write ${1}x'],
    [
      "mirrors:\n  a:\n    rewrite: { '^(.*)': 'x/\\1' }",
      3,
      'refers to a group with a backslash',
      'write x/${1}',
    ],
    [
      'configs:\n  a:\n    auth: { username: me }',
      3,
      'configs.a.auth: has no password',
      'username and password',
    ],
    [
      'configs:\n  a:\n    auth: { auth: hunter2 }',
      3,
      'is not base64 of user:password',
      'username and password',
    ],
    ['configs:\n  a:\n    tls: { cert_file: ca.crt }', 3, 'has cert_file but no key_file', 'both'],
    [
      'configs:\n  a:\n    tls: { insecure_skip_verify: maybe }',
      3,
      '"maybe" is not true or false',
      'true or false',
    ],
    [
      'configs:\n  a:\n    tls: { ca_file: gone.crt }',
      3,
      'cannot read "etc/gone.crt" on this computer: no such file',
      'beside the registries.yaml',
    ],
    ['configs:\n  a:\n    tls: { ca_file: k.pem }', 3, 'holds a key, not a certificate', 'openssl'],
    [
      'configs:\n  a:\n    tls: { cert_file: ca.crt, key_file: ca.crt }',
      3,
      'holds a certificate, not a key',
      'private key',
    ],
    ['configs:\n  a:\n    tls: { cert_file: ca.crt, key_file: enc.pem }', 3, 'is encrypted', 'decrypt'],
    [
      'mirrors:\n  a: { endpoint: ["http://b:5000"] }\nconfigs:\n  b:5000:\n    tls: { insecure_skip_verify: true }',
      5,
      'the endpoint "http://b:5000" is plain HTTP',
      'write https://b:5000',
    ],
  ])('refuses %j with its line and the remedy', async (text, line, message, hint) => {
    const { error, problems } = await failure(text)
    expect(error).toMatchObject({ code: 'E_REGISTRIES_INVALID', exit: 2 })
    const found = problems.find((problem) => problem.message.includes(message))
    expect(found, JSON.stringify(problems)).toMatchObject({ path: 'etc/registries.yaml', line })
    expect(found?.hint).toContain(hint)
  })

  it('tells every problem at once', async () => {
    const { problems } = await failure(
      'mirors: {}\nconfigs:\n  a: { tsl: {} }\n  b: { auth: { password: x } }\n',
    )
    expect(problems.map((problem) => problem.line)).toEqual([1, 3, 4])
  })

  it.each([
    'configs:\n  a:\n    auth: { username: me, password: *hunter2 }',
    'configs:\n  a:\n    auth: { username: me, password: !hunter2 }',
    'configs:\n  a:\n    auth: { username: me, password: @hunter2 }',
    'configs:\n  a:\n    auth: { username: me, password: "\\hunter2" }',
    'configs:\n  a:\n    auth: password:hunter2',
    'configs:\n  a:\n    auth: { password:hunter2 }',
    'configs:\n  a:\n    auth: { username: me, password: [hunter2] }',
    'configs:\n  a:\n    auth: { username: me, password: hunter2\nhunter2',
    'mirrors:\n  a: { endpoint: ["https://me:hunter2@b"] }',
    'mirrors:\n  a: { endpoint: ["me:hunter2@b:5000"] }',
    'mirrors:\n  a: { endpoint: ["https://me:hunter2@b:99999"] }',
  ])('never shows a password: %j', async (text) => {
    const { error } = await failure(text)
    expect(`${error.message} ${error.hint} ${JSON.stringify(error.data)} ${error.cause}`).not.toContain(
      'hunter2',
    )
  })

  it.each([
    [
      'mirrors:\n  docker.io: { endpoint: ["https://b"] }\nconfigs:\n  docker.io: { auth: { username: a, password: b } }',
      'docker.io is mirrored by b; put it under configs."b"',
    ],
    [
      'mirrors:\n  a: { endpoint: ["https://b:5000"] }\nconfigs:\n  b: { auth: { username: a, password: b } }',
      'configs.b does not match the endpoint b:5000',
    ],
    ['mirrors:\n  a: { endpoint: ["https://b/proxy"] }', 'has no v2 in it'],
    ['mirrors:\n  a: { rewrite: { x: y } }', 'no endpoint to which rewriting applies'],
    ['configs:\n  a: { tls: { ca_file: ca.crt, insecure_skip_verify: true } }', 'ca_file has no effect'],
    [
      'configs:\n  a: { auth: { username: a, password: b, identity_token: c } }',
      'has username and identity_token',
    ],
  ])('warns of %j', async (text, message) => {
    const { warnings } = await load(text)
    expect(warnings).toHaveLength(1)
    expect(warnings[0]).toContain(message)
    expect(warnings[0]).toMatch(/^etc\/registries.yaml:\d: /)
  })

  it('takes what Go takes and JavaScript does not', async () => {
    expect(
      await content(
        'mirrors:\n  a: { endpoint: ["https://b"], rewrite: { "(?i)^(?P<x>[[:alpha:]]+)/": "${x}/$x/" } }',
      ),
    ).toBeTruthy()
  })

  it('takes the same as an object, and tells no lines of it', async () => {
    const io = { readFile: async () => Buffer.from(CERT) }
    const value = { mirrors: { a: { endpoint: ['https://b'] } }, configs: { b: { tls: { ca_file: 'x' } } } }
    expect((await loadRegistriesObject(value, '/dir', io)).registries.files).toHaveLength(1)
    await expect(loadRegistriesObject({ mirors: {} }, '/dir', io)).rejects.toMatchObject({
      message: 'registries: "mirors" is not known',
    })
  })

  it('tells a file that cannot be read', async () => {
    await expect(
      loadRegistries('gone', {
        readFile: async () => Promise.reject(Object.assign(new Error(), { code: 'EACCES' })),
      }),
    ).rejects.toMatchObject({
      code: 'E_LOCAL_FILE',
      message: '--registries: cannot read "gone": permission denied',
    })
  })
})

describe('createSpecIo', () => {
  it('reads relative to its directory', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'airlift-io-'))
    try {
      await mkdir(join(directory, 'sub'))
      await writeFile(join(directory, 'sub/ca.crt'), CERT)
      await writeFile(join(directory, 'sub/r.yaml'), 'configs:\n  a: { tls: { ca_file: ca.crt } }\n')
      const io = createSpecIo(directory)
      expect((await io.loadRegistries('sub/r.yaml')).registries.files).toHaveLength(1)
      expect(await io.listDirectory('sub')).toEqual(['ca.crt', 'r.yaml'])
      expect(await io.listDirectory('sub/ca.crt')).toBeUndefined()
    } finally {
      await rm(directory, { recursive: true })
    }
  })

  it('knows this computer as the options of containers refer to it', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'airlift-io-'))
    try {
      await writeFile(join(directory, 'file'), '')
      const { local } = createSpecIo(directory, { env: { HOME: '/home/me' } })
      expect(local?.absolutePath('./file')).toBe(join(directory, 'file'))
      expect(local?.absolutePath('~/x')).toBe('/home/me/x')
      expect(local?.absolutePath('~')).toBe('/home/me')
      expect(local?.absolutePath('/a/../b')).toBe('/b')
      expect(await local?.pathKind(join(directory, 'file'))).toBe('file')
      expect(await local?.pathKind(directory)).toBe('directory')
      expect(await local?.pathKind('/dev/null')).toBe('other')
      expect(await local?.pathKind(join(directory, 'gone'))).toBeUndefined()
      expect(await local?.pathKind(join(directory, 'file/below'))).toBeUndefined()
      expect(await local?.lookup('localhost')).toMatch(/^(?:127\.0\.0\.1|::1)$/)
      expect(await local?.engineIsLocal()).toBe(true)
      for (const [host, here] of [
        ['unix:///run/docker.sock', true],
        ['ssh://me@far', false],
        ['tcp://far:2376', false],
      ] as const) {
        const { local: elsewhere } = createSpecIo(directory, { env: { DOCKER_HOST: host } })
        expect(await elsewhere?.engineIsLocal(), host).toBe(here)
      }
    } finally {
      await rm(directory, { recursive: true })
    }
  })
})
