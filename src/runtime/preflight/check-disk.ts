import type { FilesystemFact } from '../../machine/facts/facts.js'
import { STATE_DIR as STORE } from '../../machine/state-paths.js'
import { type CheckInput, filesFor, isJoined, isOurs, sizeText } from './machine-under-test.js'
import { type Problem, problem } from './problem.js'

const DATA = '/var/lib/rancher'
const BIN = '/usr/local/bin'
/** What k3s unpacks of itself at its first start, and the first data of a node. */
const FIRST_DATA_BYTES = 256 * 1024 ** 2 + 1024 ** 3
/** Layers in an archive are compressed; unpacked, with containerd's own copy, they take about three times as much. */
const UNPACKED_FACTOR = 3
/** k3s taints a node with less than 5 % free. */
const TAINT_SHARE = 0.05
const LEAST_INODES = 20_000

/** Room, inodes, and whether root can write and start programs where k3s needs it. */
export function checkDisk(input: CheckInput): Problem[] {
  const { machine } = input
  const { filesystems } = machine.facts
  return [
    ...checkRoom(input),
    ...filesystems.flatMap((fs) => checkWritable(machine.name, fs)),
    ...filesystems.flatMap((fs) => checkType(machine.name, fs)),
    ...checkLinks(machine),
  ]
}

/** A reset wipes what is below these paths: a link there may lead to more than k3s' data. What runs so is told only. */
function checkLinks(machine: CheckInput['machine']): Problem[] {
  const links = machine.facts.leftovers.filter(({ what }) => what === 'link')
  const graver = isOurs(machine) ? { severity: 'warning' as const } : {}
  return links.map(({ evidence }) => problem('data-link', machine.name, evidence, graver))
}

/** Bytes that will be written below each of the paths. Missing blobs only; a node that was ready has unpacked its images. */
function needs({ machine, rootfs }: CheckInput): Map<string, number> {
  const { filesystems, managed } = machine.facts
  const mountOf = (path: string): string | undefined => filesystems.find((fs) => fs.path === path)?.mountPoint
  const have = new Set(managed.blobs.map((blob) => blob.sha256))
  const wanted = new Map<string, number>()
  const add = (path: string, bytes: number): void => {
    wanted.set(path, (wanted.get(path) ?? 0) + bytes)
  }
  const joined = isJoined(machine)
  for (const file of rootfs ? filesFor(rootfs, machine) : []) {
    if (file.role !== 'binary' && file.role !== 'images') continue
    const target = file.role === 'binary' ? BIN : DATA
    const missing = !have.has(file.sha256)
    if (missing) add(STORE, file.size)
    // Across file systems there are no hard links: the file is there twice.
    if (missing && mountOf(STORE) !== mountOf(target)) add(target, file.size)
    if (file.role === 'images' && !joined) add(DATA, file.size * UNPACKED_FACTOR)
  }
  if (!joined) add(DATA, FIRST_DATA_BYTES)
  return wanted
}

function checkRoom(input: CheckInput): Problem[] {
  const { machine } = input
  const byMount = new Map<string, { fs: FilesystemFact; paths: string[]; bytes: number }>()
  for (const [path, bytes] of needs(input)) {
    const fs = machine.facts.filesystems.find((entry) => entry.path === path)
    if (!fs) continue
    const group = byMount.get(fs.mountPoint)
    if (group) {
      group.paths.push(path)
      group.bytes += bytes
    } else byMount.set(fs.mountPoint, { fs, paths: [path], bytes })
  }
  const found: Problem[] = []
  for (const { fs, paths, bytes } of byMount.values()) {
    const where = `${paths.join(' and ')} (on ${fs.mountPoint})`
    if (fs.freeBytes < bytes) {
      found.push(
        problem(
          'disk-space',
          machine.name,
          `${where}: ${sizeText(fs.freeBytes)} free, ${sizeText(bytes)} needed`,
        ),
      )
    } else if (
      !isJoined(machine) &&
      fs.freeBytes - bytes < fs.sizeBytes * TAINT_SHARE &&
      paths.includes(DATA)
    ) {
      const rest = sizeText(fs.freeBytes - bytes)
      found.push(
        problem(
          'disk-space',
          machine.name,
          `${where} will have ${rest} of ${sizeText(fs.sizeBytes)} left, under 5 %: the node will be tainted`,
          {
            severity: 'warning',
          },
        ),
      )
    }
    if (fs.freeInodes !== undefined && fs.freeInodes < LEAST_INODES && !isJoined(machine)) {
      found.push(problem('inode-space', machine.name, `${where}: ${fs.freeInodes} inodes free`))
    }
  }
  return found
}

function checkWritable(machine: string, fs: FilesystemFact): Problem[] {
  if (fs.writable) return []
  const why = fs.options.includes('ro') ? `${fs.mountPoint} is mounted read-only` : 'root cannot write there'
  const fix = fs.options.includes('ro')
    ? `mount -o remount,rw ${fs.mountPoint}`
    : `see lsattr -d ${fs.path}, and what is mounted there`
  return [problem('read-only', machine, `${fs.path}: ${why}`, { fix })]
}

function checkType(machine: string, fs: FilesystemFact): Problem[] {
  const found: Problem[] = []
  if ((fs.path === DATA || fs.path === BIN) && fs.options.includes('noexec')) {
    found.push(
      problem(
        'noexec',
        machine,
        `${fs.path}: ${fs.mountPoint} is mounted noexec, and programs are started from it`,
        {
          fix: `mount -o remount,exec ${fs.mountPoint}`,
        },
      ),
    )
  }
  if (fs.path === DATA && /^(overlay|nfs4?|cifs|smb3|fuse\.|9p|virtiofs)/.test(fs.type)) {
    found.push(problem('filesystem-type', machine, `${fs.path} is on ${fs.type}`))
  }
  return found
}
