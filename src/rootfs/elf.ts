import type { Arch } from './manifest.js'

/** e_machine of the ELF header, by number: elf.h. */
const MACHINES: Readonly<
  Record<number, { readonly name: string; readonly arch?: Arch; readonly bits: 32 | 64 }>
> = {
  3: { name: 'i386', bits: 32 },
  40: { name: 'arm', arch: 'arm', bits: 32 },
  62: { name: 'x86-64', arch: 'amd64', bits: 64 },
  183: { name: 'aarch64', arch: 'arm64', bits: 64 },
  22: { name: 's390x', bits: 64 },
  21: { name: 'ppc64', bits: 64 },
  243: { name: 'riscv64', bits: 64 },
}

/** What a program file is. */
export type ProgramKind =
  | { readonly kind: 'elf'; readonly machine: string; readonly arch?: Arch }
  | { readonly kind: 'script' }
  | { readonly kind: 'other' }

/** Tells by the first 64 bytes whether a file is a Linux program, and for which machine; a script runs on all. */
export function programKind(head: Buffer): ProgramKind {
  if (head.subarray(0, 2).toString('latin1') === '#!') return { kind: 'script' }
  if (head.length < 20 || head.readUInt32BE(0) !== 0x7f454c46) return { kind: 'other' }
  const little = head[5] === 1
  const number = little ? head.readUInt16LE(18) : head.readUInt16BE(18)
  const known = MACHINES[number]
  const bits = head[4] === 1 ? 32 : 64
  // x32 has the machine number of x86-64 and 32 bits.
  if (!known || known.bits !== bits) return { kind: 'elf', machine: `machine ${number}, ${bits} bits` }
  return { kind: 'elf', machine: known.name, ...(known.arch && little ? { arch: known.arch } : {}) }
}

/**
 * Whether the header of an ELF file, of its first 64 bytes, is one that a kernel loads. What it does not load, C libraries hand
 * to a shell, which would take the bytes for commands.
 */
export function isLoadable(head: Buffer): boolean {
  const wide = head[4] === 2
  if (head.length < (wide ? 64 : 52) || head[5] !== 1) return false
  const type = head.readUInt16LE(16)
  const [entrySize, entries] = wide ? [54, 56] : [42, 44]
  // Programs at a fixed address or at any; with segments of the right kind.
  return (
    (type === 2 || type === 3) &&
    head.readUInt16LE(entrySize) === (wide ? 56 : 32) &&
    head.readUInt16LE(entries) > 0
  )
}
