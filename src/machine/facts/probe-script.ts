import { randomBytes } from 'node:crypto'
import { AirliftError } from '../../core/errors.js'
import { STATE_DIR } from '../state-paths.js'
import { firewallSection } from './probe/firewall.js'
import { hostSection } from './probe/host.js'
import { leftoversSection } from './probe/leftovers.js'
import { fragmentsSection, managedSection } from './probe/managed.js'
import { networkSection } from './probe/network.js'
import { preludeSection } from './probe/prelude.js'
import { storageSection } from './probe/storage.js'

/** Paths whose file systems are looked at when nothing else is asked for. */
export const DEFAULT_PATHS = [
  '/usr/local/bin',
  '/var/lib/rancher',
  STATE_DIR,
  '/etc/rancher',
  '/var/lib/kubelet',
  '/tmp',
] as const

/** What the probe is to look at. */
export interface ProbeOptions extends ManagedOptions {
  /** Absolute paths whose file systems are reported. Default {@link DEFAULT_PATHS}. */
  readonly paths?: readonly string[]
  /**
   * Host names or IPs of the first master: the source address of the route to the first of them that the machine can resolve is
   * reported.
   */
  readonly routeTo?: readonly string[]
}

/** What of airlift's and the runtime's own is looked at. */
export interface ManagedOptions {
  /** Files to report: mode, size, inode; sha256 of those up to 1 MiB and of hard links into the blob store. */
  readonly files?: readonly string[]
  /** Services to report, with or without `.service`. */
  readonly units?: readonly string[]
  /** Shell scripts whose standard output is returned as it is, by name. They run as root and must only read. */
  readonly fragments?: Readonly<Record<string, string>>
  /** Seconds after which a fragment is ended; what it wrote until then is kept. Default 15. */
  readonly fragmentSeconds?: number
}

/**
 * Builds the probe: one POSIX sh script that runs as root under dash, bash and busybox ash and changes nothing. It is wrapped
 * in a function, so that it has been read whole before anything in it can touch standard input.
 * @throws AirliftError E_INTERNAL for a path that is not absolute or a name that holds a control character
 */
export function buildProbeScript(options: ProbeOptions = {}): string {
  const paths = options.paths ?? DEFAULT_PATHS
  return probeOf(options, paths, [
    hostSection,
    networkSection(options.routeTo ?? []),
    firewallSection,
    storageSection(paths),
    leftoversSection,
  ])
}

/**
 * The probe without what it tells of the machine itself: for containers, of which the engine has told that. It takes a third
 * of the time.
 * @throws AirliftError E_INTERNAL as {@link buildProbeScript}
 */
export function buildManagedProbe(options: ManagedOptions): string {
  return probeOf(options, [], [])
}

function probeOf(options: ManagedOptions, paths: readonly string[], about: readonly string[]): string {
  for (const path of [...paths, ...(options.files ?? [])]) {
    if (!path.startsWith('/') || hasControl(path)) {
      throw new AirliftError('E_INTERNAL', `the probe takes absolute paths, not "${path}"`)
    }
  }
  for (const name of Object.keys(options.fragments ?? {})) {
    if (!/^[A-Za-z0-9._-]+$/.test(name)) {
      throw new AirliftError('E_INTERNAL', `a fragment of the probe cannot be called "${name}"`)
    }
  }
  const fence = `airlift-${randomBytes(12).toString('hex')}`
  const sections = [
    ...about,
    managedSection(options.files ?? [], options.units ?? []),
    fragmentsSection(options.fragments ?? {}, options.fragmentSeconds ?? 15, fence),
  ]
  return `${preludeSection(fence).trim()}
probe() {
kv clock "$(date +%s%N)"
${sections.map((section) => section.trim()).join('\n')}
kv clockEnd "$(date +%s%N)"
kv end ok
}
probe </dev/null
`
}

function hasControl(text: string): boolean {
  return [...text].some((char) => char < ' ' || char === '\x7f')
}
