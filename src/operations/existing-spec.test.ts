import { expect, it } from 'vitest'
import type { MachineWorld } from '../runtime/runtime.js'
import { listUserFiles, USER_FILES } from '../runtime/user-files.js'
import { existingSpec } from './existing-spec.js'

const REGISTRIES = 'mirrors:\n  reg.lan:5000: {}\n'

function master(files: Readonly<Record<string, string>> | undefined, config?: object): MachineWorld {
  const told = Object.entries(files ?? {}).map(
    ([path, text]) => [`/etc/rancher/k3s/${path}`, { mode: '0600', content: Buffer.from(text) }] as const,
  )
  const fragments = files && { [USER_FILES]: listUserFiles(new Map(told)) }
  const managed = { fragments: fragments ?? {}, ...(config ? { record: { config } } : {}) }
  return { name: 'm1', facts: { managed } } as unknown as MachineWorld
}

it('is what the record says, with the secrets of the file, and without the token', () => {
  const file = 'agent-token: secret\ntoken: other\ncluster-cidr: 10.1.0.0/16\n'
  expect(
    existingSpec(master({ 'config.yaml': file }, { 'flannel-backend': 'none' }), { a: 'label' }),
  ).toEqual({
    config: { a: 'label', 'flannel-backend': 'none', 'agent-token': 'secret' },
  })
})

it('has the registries with the certificates that they name', () => {
  const ca = 'registries.d/reg.lan_5000/ca.pem'
  const { registries } = existingSpec(master({ 'registries.yaml': REGISTRIES, [ca]: 'certificate' }))
  expect(registries?.content.reveal()).toBe(REGISTRIES)
  expect(registries?.mirrors).toEqual(['reg.lan:5000'])
  expect(registries?.files).toEqual([
    { path: `/etc/rancher/k3s/${ca}`, mode: '0600', content: Buffer.from('certificate') },
  ])
})

it('is an error where nothing was read, and nothing where the user set nothing', () => {
  expect(() => existingSpec(master(undefined))).toThrow(/cannot read the configuration of m1/)
  expect(existingSpec(master({}))).toEqual({ config: {} })
})
