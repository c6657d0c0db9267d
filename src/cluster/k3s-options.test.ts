import { expect, it } from 'vitest'
import { isSecretSetting } from './k3s-options.js'

it.each([
  ['etcd-s3-proxy', 'http://u:hunter5@p:3128'],
  ['etcd-s3-endpoint', 'https://u:hunter5@s3'],
  ['my-client-secret', 'hunter5'],
  ['kube-apiserver-arg', ['v=2', 'oidc-client-secret=hunter5']],
  ['etcd-arg', ['discovery-proxy=http://:hunter5@p']],
])('%s=%j may not be shown', (key, value) => expect(isSecretSetting(key, value)).toBe(true))

it.each([
  ['secrets-encryption', true],
  ['etcd-s3-config-secret', 'name-of-a-secret'],
  [
    'kube-apiserver-arg',
    ['token-auth-file=/x', 'enable-bootstrap-token-auth=true', 'oidc-issuer-url=https://x/a:b@c'],
  ],
  ['resolv-conf', '/etc/resolv.conf'],
  ['system-default-registry', 'reg.lan:5000'],
])('%s=%j is shown', (key, value) => expect(isSecretSetting(key, value)).toBe(false))
