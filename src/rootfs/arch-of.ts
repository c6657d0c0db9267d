import { AirliftError } from '../core/errors.js'
import type { Arch } from './manifest.js'

const ARCHS: Readonly<Record<string, Arch>> = {
  x86_64: 'amd64',
  amd64: 'amd64',
  aarch64: 'arm64',
  arm64: 'arm64',
  armv7l: 'arm',
  armv8l: 'arm',
}

/** What `uname -m` means for a rootfs; undefined for machines that no release is built for, such as `i686`. */
export function archOfUname(uname: string): Arch | undefined {
  return ARCHS[uname]
}

/** The architecture of this computer; undefined where no release is built for it. */
export function archOfNode(): Arch | undefined {
  const names: Readonly<Record<string, string>> = { x64: 'x86_64', arm64: 'aarch64', arm: 'armv7l' }
  return archOfUname(names[process.arch] ?? process.arch)
}

/** The architecture of a machine, where preflight has let the machine pass. @throws AirliftError E_PREFLIGHT */
export function archOf(facts: { readonly unameArch: string; readonly hostname: string }): Arch {
  const arch = archOfUname(facts.unameArch)
  if (arch) return arch
  throw new AirliftError(
    'E_PREFLIGHT',
    `${facts.hostname} is ${facts.unameArch}, which k3s is not built for`,
    {
      machine: facts.hostname,
      hint: 'use a machine with x86_64, aarch64 or armv7l',
    },
  )
}
