import { existsSync, readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { fileURLToPath } from 'node:url'
import { execa } from 'execa'

/** One machine of the lab, as lab/lab.sh describes it. */
export interface LabHost {
  readonly name: string
  readonly ip: string
  readonly hostKey: string
  readonly kind: 'systemd' | 'openrc'
}

/** A running lab. */
export interface Lab {
  readonly name: string
  readonly key: string
  readonly sshConfig: string
  readonly knownHosts: string
  readonly hosts: readonly LabHost[]
  readonly bastion: { readonly name: string; readonly ip: string; readonly port: number } | null
}

export const ROOT: string = fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, '')
const LAB = `${ROOT}/lab/lab.sh`

/** Why lab tests cannot run here; undefined when they can. Set by the global setup. */
export function labMissing(): string | undefined {
  return process.env.AIRLIFT_LAB_MISSING || undefined
}

/** Calls lab/lab.sh; throws with its stderr when it fails. */
export async function lab(...args: string[]): Promise<string> {
  const { stdout } = await execa(LAB, args)
  return stdout
}

/** Starts (or finds) a lab with so many hosts. */
export async function labUp(name: string, hosts: number, ...flags: string[]): Promise<Lab> {
  return JSON.parse(await lab('up', String(hosts), '--name', name, ...flags)) as Lab
}

/** Stops a lab. */
export async function labDown(name: string): Promise<void> {
  await lab('down', '--name', name)
}

/** Flags that make airlift reach a lab's hosts, without touching the known_hosts of whoever runs the tests. */
export function sshFlags(machines: Lab): string[] {
  return ['--identity', machines.key, '--known-hosts', machines.knownHosts]
}

/** The k3s that is tested: a real one where AIRLIFT_K3S names it, else the stand-in. */
export interface K3sUnderTest {
  readonly binary: string
  readonly images: string
  readonly version: string
  readonly real: boolean
}

/** Set by the global setup. */
export function k3sUnderTest(): K3sUnderTest {
  return JSON.parse(process.env.AIRLIFT_TEST_K3S ?? '{}') as K3sUnderTest
}

/** Milliseconds for a test, or a hook, that brings clusters up more than once, which a real k3s makes a matter of minutes. */
export const LONG: number = k3sUnderTest().real ? 1_800_000 : 600_000

/** A finished run of the command line. */
export interface CliResult {
  readonly exitCode: number
  readonly stdout: string
  readonly stderr: string
  /** stdout as JSON; undefined when it is none. */
  readonly json: unknown
}

/**
 * The arguments for the k3s that is tested. A k3s without the images of its addons would wait for them, so
 * `AIRLIFT_K3S_DISABLE=traefik,…` switches those off in every run, beside what the arguments themselves switch off.
 */
export function forThisK3s(args: readonly string[]): readonly string[] {
  const off = process.env.AIRLIFT_K3S_DISABLE
  if (!off || (args[0] !== 'run' && args.slice(0, 2).join(' ') !== 'plan run')) return args
  const at = args.findIndex((arg) => arg.startsWith('disable='))
  if (at < 0) return [...args, '--set', `disable=${off}`]
  const own = args[at]?.slice('disable='.length).split(',') ?? []
  return args.with(at, `disable=${[...new Set([...own, ...off.split(',')])].join(',')}`)
}

/**
 * Runs the built command line. Its state and kubeconfig live where `home` says, so tests do not see each other. `through`
 * is a command that runs it, such as one that enters a namespace; `node` the program of another version of node.
 */
export async function airlift(
  args: readonly string[],
  options: {
    home?: string
    env?: Record<string, string>
    input?: string
    through?: readonly string[]
    node?: string
  } = {},
): Promise<CliResult> {
  const home = options.home ?? homedir()
  const [program = '', ...rest] = [...(options.through ?? []), options.node ?? process.execPath]
  const result = await execa(program, [...rest, `${ROOT}/bin/airlift.js`, ...forThisK3s(args)], {
    reject: false,
    stdin: options.input === undefined ? 'ignore' : 'pipe',
    ...(options.input === undefined ? {} : { input: options.input }),
    env: {
      HOME: home,
      XDG_STATE_HOME: `${home}/.state`,
      XDG_CACHE_HOME: `${home}/.cache`,
      KUBECONFIG: `${home}/kubeconfig`,
      CI: '1',
      ...options.env,
    },
  })
  let json: unknown
  try {
    json = JSON.parse(result.stdout)
  } catch {
    json = undefined
  }
  return { exitCode: result.exitCode ?? -1, stdout: result.stdout, stderr: result.stderr, json }
}

/** Reads a file of the repository. */
export function repoFile(path: string): string {
  const full = `${ROOT}/${path}`
  return existsSync(full) ? readFileSync(full, 'utf8') : ''
}
