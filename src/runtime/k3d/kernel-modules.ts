import { readFile } from 'node:fs/promises'
import { release } from 'node:os'
import { join } from 'node:path'
import type { KernelModules } from '../runtime.js'
import { pathExists } from './path-exists.js'

/** Where a kernel's modules are, in directories named after its release. */
export const MODULES = '/lib/modules'

/**
 * What every node needs, and files that are there once the kernel has it: k3s unpacks images in overlays, and Services are not
 * reached from pods of the same node where bridges hide their packets from iptables. Engines load the latter only where they
 * need it themselves (Docker since 28), so k3s does, with the modules of the computer.
 */
const NEEDED: Readonly<Record<string, readonly string[]>> = {
  overlay: ['/sys/module/overlay'],
  br_netfilter: ['/sys/module/br_netfilter', '/proc/sys/net/bridge'],
}

/** What is known of the modules of this computer's kernel; undefined where that is no Linux. */
export async function lookAtModules(
  root = '/',
  kernel = release(),
  system: string = process.platform,
): Promise<KernelModules | undefined> {
  if (system !== 'linux') return undefined
  const path = join(root, MODULES, kernel)
  const listed = await read(join(path, 'modules.dep'))
  const directory = listed !== undefined || (await pathExists(join(root, MODULES)))
  // What is not listed may be built in, or on a disk that another system brings along.
  if (listed === undefined) return { kernel, directory, missing: [] }
  const files = `${listed}\n${(await read(join(path, 'modules.builtin'))) ?? ''}`
  const filesystems = (await read(join(root, 'proc/filesystems'))) ?? ''
  const missing: string[] = []
  for (const [name, signs] of Object.entries(NEEDED)) {
    const there = await Promise.all(signs.map((sign) => pathExists(join(root, sign))))
    if (there.includes(true) || new RegExp(`\\t${name}$`, 'm').test(filesystems)) continue
    if (!new RegExp(`/${name}\\.ko(\\.\\w+)?(:|$)`, 'm').test(files)) missing.push(name)
  }
  return { kernel, directory, missing }
}

async function read(path: string): Promise<string | undefined> {
  return readFile(path, 'utf8').catch(() => undefined)
}
