import { archOfUname } from '../../rootfs/arch-of.js'
import { type CheckInput, sizeText } from './machine-under-test.js'
import { type Problem, problem } from './problem.js'

const MIB = 1024 ** 2
/** What the kernel keeps for itself is missing in MemTotal: a machine of 2 GB shows about 1.9. */
const SHOWN_SHARE = 0.9

/** Processor, width, init system, kernel, name, cores, memory, swap and the programs that airlift uses. */
export function checkSystem(input: CheckInput): Problem[] {
  return [
    ...checkArch(input),
    ...checkInit(input),
    ...checkKernel(input),
    ...checkHostname(input),
    ...checkSize(input),
    ...checkTools(input),
  ]
}

function checkArch({ machine, rootfs }: CheckInput): Problem[] {
  const { unameArch, bits } = machine.facts
  const arch = archOfUname(unameArch)
  const narrow = bits === 32 || /^i[3-6]86$/.test(unameArch)
  if (narrow && arch !== 'arm') {
    return [problem('os-32bit', machine.name, `the system is 32-bit (${unameArch}, LONG_BIT ${bits ?? 32})`)]
  }
  if (arch === undefined) {
    return [
      problem('arch-mismatch', machine.name, `k3s is not built for ${unameArch}`, {
        fix: 'use a machine with x86_64, aarch64 or armv7l',
      }),
    ]
  }
  if (rootfs && !rootfs.arch.includes(arch)) {
    const has = rootfs.arch.join(', ')
    return [
      problem(
        'arch-mismatch',
        machine.name,
        `the machine is ${arch} (${unameArch}), the rootfs is for ${has}`,
        {
          fix: `build the rootfs with ${[...rootfs.arch, arch].map((name) => `--arch ${name}`).join(' ')}`,
        },
      ),
    ]
  }
  return []
}

function checkInit({ machine }: CheckInput): Problem[] {
  if (machine.facts.init !== 'none') return []
  const inside = machine.facts.virtualization ? ` (${machine.facts.virtualization})` : ''
  return [
    problem('no-init', machine.name, `${machine.facts.os.name}${inside} runs neither systemd nor OpenRC`),
  ]
}

function checkKernel({ machine }: CheckInput): Problem[] {
  const match = /^(\d+)\.(\d+)/.exec(machine.facts.kernel)
  if (!match) return []
  const version = Number(match[1]) * 1000 + Number(match[2])
  if (version >= 4019) return []
  return [
    problem('kernel-old', machine.name, `kernel ${machine.facts.kernel} is older than 4.19`, {
      severity: version < 4005 ? 'error' : 'warning',
    }),
  ]
}

/** k3s makes the node's name of the host name in small letters. */
function checkHostname({ machine }: CheckInput): Problem[] {
  const { hostname } = machine.facts
  const fix = 'hostnamectl set-hostname NAME'
  if (hostname === '' || /^localhost(\.|$)/i.test(hostname)) {
    return [problem('hostname-invalid', machine.name, `the host name is "${hostname}"`, { fix })]
  }
  const label = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/
  const bad =
    hostname.length > 253 ||
    hostname
      .toLowerCase()
      .split('.')
      .some((part) => !label.test(part))
  return bad
    ? [problem('hostname-invalid', machine.name, `"${hostname}" cannot be the name of a node`, { fix })]
    : []
}

function checkSize({ machine }: CheckInput): Problem[] {
  const { cpus, memoryBytes, swapBytes } = machine.facts
  const master = machine.node.role === 'master'
  const found: Problem[] = []
  if (master && cpus < 2) {
    found.push(problem('cores-low', machine.name, `${cpus} core, k3s asks for 2 on a master`))
  }
  const [least, wanted] = master ? [512 * MIB, 2048 * MIB] : [256 * MIB, 512 * MIB]
  if (memoryBytes > 0 && memoryBytes < wanted * SHOWN_SHARE) {
    const refused = memoryBytes < least * SHOWN_SHARE
    const text = `${sizeText(memoryBytes)} of memory, a ${machine.node.role} ${refused ? 'needs' : 'should have'} ${sizeText(refused ? least : wanted)}`
    found.push(problem('memory-low', machine.name, text, { severity: refused ? 'error' : 'warning' }))
  }
  if (swapBytes > 0) found.push(problem('swap', machine.name, `${sizeText(swapBytes)} of swap`))
  return found
}

function checkTools({ machine }: CheckInput): Problem[] {
  const missing = ['awk', 'base64', 'dd', 'sha256sum'].filter((tool) => machine.facts.tools[tool] === false)
  if (missing.length === 0) return []
  return [problem('tool-missing', machine.name, `${missing.join(', ')} cannot be found`)]
}
