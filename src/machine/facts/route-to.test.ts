import { expect, it } from 'vitest'
import { routeTo } from './route-to.js'

const ssh = (host: string) => ({ kind: 'ssh' as const, text: host, host })

it('is what ssh made of an alias, which no machine knows', async () => {
  expect(await routeTo(ssh('m1'), 'ssh://root@10.99.0.1:22')).toEqual(['10.99.0.1'])
  expect(await routeTo(ssh('m1'), 'ssh://root@[fd00::1]:22')).toEqual(['fd00::1'])
})

it('is the host as it was typed where its machine is not known', async () => {
  expect(await routeTo(ssh('10.0.0.1'), undefined)).toEqual(['10.0.0.1'])
})

it('is a name that means nothing but this computer here, alone', async () => {
  expect(await routeTo(ssh('localhost'), undefined)).toEqual(['localhost'])
  expect(await routeTo(ssh('m1'), 'ssh://root@no-such-name.invalid:22')).toEqual(['no-such-name.invalid'])
})

it('is nothing for a machine of another kind', async () => {
  expect(await routeTo({ kind: 'local', text: 'local', host: 'local' }, 'local://')).toEqual([])
})
