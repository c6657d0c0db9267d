import type { Role } from '../cluster/spec.js'
import { AirliftError } from '../core/errors.js'
import type { Arch, RootfsFile, RootfsManifest } from './manifest.js'

/**
 * The files of a rootfs that a machine of this architecture needs for a role. Pure.
 * @throws AirliftError E_PREFLIGHT when the rootfs was not built for the architecture
 */
export function selectFiles(manifest: RootfsManifest, arch: Arch, _role: Role): RootfsFile[] {
  if (!manifest.arch.includes(arch)) {
    throw new AirliftError(
      'E_PREFLIGHT',
      `the rootfs holds ${manifest.arch.join(', ')}, and the machine is ${arch}`,
      {
        hint: `build it with --arch ${[...manifest.arch, arch].join(' --arch ')}`,
      },
    )
  }
  // Masters run pods too, and k3s needs the same binary and images for both roles.
  return manifest.files.filter((file) => file.arch === undefined || file.arch === arch)
}
