import { describe, expect, it } from 'vitest'
import { Secret } from '../../core/secret.js'
import { redactConfig, redactObjects, redactText } from './redact-text.js'

const CA = 'a'.repeat(64)

describe('a text without its secrets', () => {
  it.each([
    ['a known value', 'joined with hunter22 at last', 'hunter22'],
    ['a full token', `token K10${CA}::server:s3cr3tvalue used`, 's3cr3tvalue'],
    ['a private key', '-----BEGIN EC PRIVATE KEY-----\nMHcCAQEE\n-----END EC PRIVATE KEY-----\n', 'MHcCAQEE'],
    ['a private key that was cut off', '-----BEGIN PRIVATE KEY-----\nMHcCAQEE', 'MHcCAQEE'],
    [
      'a service account token',
      'Authorization: eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJrdWJl.c2lnbmF0dXJl',
      'c2lnbmF0dXJl',
    ],
    ['a bearer', 'header "Bearer abcdef0123456789"', 'abcdef0123456789'],
    ['a password in a URL', 'GET https://bob:tr0ub4dor@registry.local/v2/', 'tr0ub4dor'],
    ['a variable', 'K3S_TOKEN=abc-def-ghi', 'abc-def-ghi'],
    ['JSON', '{"password":"correct horse"}', 'correct horse'],
    ['a kubeconfig', '    client-key-data: LS0tLS1CRUdJTg==', 'LS0tLS1CRUdJTg'],
  ])('has not %s', (_, text, secret) => {
    const shown = redactText(text, [new Secret('hunter22')])
    expect(shown).not.toContain(secret)
    expect(shown).toContain('[secret]')
  })

  it('keeps what is none', () => {
    const text =
      'level=info msg="token-file: /etc/rancher/k3s/token" image=rancher/pause@sha256:ab https://10.0.0.1:6443'
    expect(redactText(text, [])).toBe(text)
  })
})

describe('a configuration without its secrets', () => {
  it.each([
    ['a plain key', 'token: abc123\ndisable: [traefik]\n'],
    ['a quoted key', '"token": "abc123"\n'],
    ['a block', 'token: |\n  abc123\n'],
    ['a list that is added to', 'agent-token+: [abc123]\n'],
    ['a datastore', 'datastore-endpoint: postgres://u:abc123@db/k3s\n'],
    ['S3', 'etcd-s3-secret-key: abc123\n'],
  ])('of k3s: %s', (_, text) => {
    const { text: shown, secrets } = redactConfig(text, 'config')
    expect(shown).not.toContain('abc123')
    expect(shown).toContain('[secret]')
    expect(secrets.some((secret) => secret.reveal().includes('abc123'))).toBe(true)
  })

  it.each([
    ['blocks', 'configs:\n  r.local:\n    auth:\n      username: bob\n      password: abc123\n'],
    ['flow', '{configs: {r.local: {auth: {username: bob, password: abc123}}}}'],
    ['JSON', '{"configs":{"r.local":{"auth":{"auth":"abc123"}}}}'],
    ['tokens', 'configs:\n  r.local:\n    auth:\n      identity_token: abc123\n'],
  ])('of registries, as %s', (_, text) => {
    const { text: shown } = redactConfig(text, 'registries')
    expect(shown).not.toContain('abc123')
    expect(shown).toContain('r.local')
  })

  it('is left out where it cannot be read', () => {
    expect(redactConfig('token: "abc123\n  - : [', 'config').text).toMatch(/^# left out/)
  })
})

it('objects keep the names of variables, not their values, and no copy of what was applied', () => {
  const pod = {
    metadata: { annotations: { 'kubectl.kubernetes.io/last-applied-configuration': '{"env":"abc123"}' } },
    spec: {
      containers: [
        {
          env: [
            { name: 'DB_PASS', value: 'abc123' },
            { name: 'NODE', valueFrom: {} },
          ],
        },
      ],
    },
  }
  const shown = redactObjects(JSON.stringify({ items: [pod] }), [])
  expect(shown).not.toContain('abc123')
  expect(shown).toContain('DB_PASS')
  expect(shown).toContain('valueFrom')
  expect(redactObjects('{"env":[{"name":"A","value":"abc123"}],"cut', [])).not.toContain('abc123')
})
