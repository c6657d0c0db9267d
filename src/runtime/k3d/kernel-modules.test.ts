import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { lookAtModules } from './kernel-modules.js'

const KERNEL = '6.12.48'

let root: string
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'airlift-modules-'))
})
afterEach(() => rmSync(root, { recursive: true }))

function file(path: string, content = ''): void {
  mkdirSync(dirname(join(root, path)), { recursive: true })
  writeFileSync(join(root, path), content)
}
const look = () => lookAtModules(root, KERNEL, 'linux')
const missing = async () => (await look())?.missing

describe('lookAtModules', () => {
  it('knows nothing where no modules are on the disk, or only those of another kernel', async () => {
    expect(await look()).toEqual({ kernel: KERNEL, directory: false, missing: [] })
    file('lib/modules/5.10.0/modules.dep', 'kernel/fs/overlayfs/overlay.ko:\n')
    expect(await look()).toEqual({ kernel: KERNEL, directory: true, missing: [] })
    expect(await lookAtModules(root, KERNEL, 'darwin')).toBeUndefined()
  })

  it('finds those that can be loaded, are built in or are loaded', async () => {
    const dep = `lib/modules/${KERNEL}/modules.dep`
    file(dep, 'kernel/net/bridge/br_netfilter.ko.xz: kernel/net/bridge/bridge.ko.xz\n')
    expect(await look()).toEqual({ kernel: KERNEL, directory: true, missing: ['overlay'] })
    file(`lib/modules/${KERNEL}/modules.builtin`, 'kernel/fs/overlayfs/overlay.ko\n')
    expect(await missing()).toEqual([])
    file(`lib/modules/${KERNEL}/modules.builtin`, '')
    file('proc/filesystems', 'nodev\tsysfs\nnodev\toverlay\n')
    expect(await missing()).toEqual([])
    file(dep, 'kernel/net/bridge/bridge.ko.xz:\nkernel/other/not_br_netfilter.ko:\n')
    expect(await missing()).toEqual(['br_netfilter'])
    file('sys/module/br_netfilter/refcnt')
    expect(await missing()).toEqual([])
  })

  it('knows bridges by their settings where the module is no module', async () => {
    file(`lib/modules/${KERNEL}/modules.dep`)
    file('proc/filesystems', '\toverlay\n')
    file('proc/sys/net/bridge/bridge-nf-call-iptables', '1')
    expect(await missing()).toEqual([])
  })
})
