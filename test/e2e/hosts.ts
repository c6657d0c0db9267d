import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { type LabHost, lab, sshFlags } from '../lab/lab.js'
import type { Scenario } from './cluster.js'

/** Runs a line of sh as root on a host, past the network and past airlift. */
export function onHost(host: LabHost, script: string): Promise<string> {
  return lab('exec', host.name, '--', 'sh', '-c', script)
}

/** Host number `index` of a scenario, from 0. */
export function hostOf(scene: Scenario, index: number): LabHost {
  const host = scene.machines.hosts[index]
  if (!host) throw new Error(`the lab has no host ${index}`)
  return host
}

/** What the command line reads of OpenSSH's configuration in a scenario. */
const sshConfig = (scene: Scenario): string => `${scene.home}/.ssh/config`

/** Has what follows reach one of the hosts, or some, as lines of OpenSSH's configuration say. */
export function reachAs(scene: Scenario, indexes: readonly number[], lines: string): void {
  mkdirSync(`${scene.home}/.ssh`, { recursive: true, mode: 0o700 })
  writeFileSync(
    sshConfig(scene),
    `Host ${indexes.map((index) => hostOf(scene, index).ip).join(' ')}\n${lines}\n`,
  )
}

/**
 * Pulls the cables of hosts. Who wants to reach them then gives up after 2 seconds instead of 15; with all others a busy
 * machine may take its time as ever.
 */
export async function cut(scene: Scenario, ...indexes: number[]): Promise<void> {
  await Promise.all(indexes.map((index) => lab('cut', hostOf(scene, index).name)))
  reachAs(scene, indexes, 'ConnectTimeout 2')
}

/** Plugs them in again. */
export async function heal(scene: Scenario, ...indexes: number[]): Promise<void> {
  rmSync(sshConfig(scene), { force: true })
  await Promise.all(indexes.map((index) => lab('heal', hostOf(scene, index).name)))
}

/** Flags for machines written by hand: `root@1.2.3.4`, `ops@…`. */
export function named(
  scene: Scenario,
  masters: readonly string[],
  workers: readonly string[] = [],
): string[] {
  return [
    ...(masters.length > 0 ? ['--masters', masters.join(',')] : []),
    ...(workers.length > 0 ? ['--nodes', workers.join(',')] : []),
    ...sshFlags(scene.machines),
  ]
}

/** What `run` says of each machine, in order. */
export function outcomes(json: unknown): string[] {
  return (json as { machines: { outcome: string }[] }).machines.map((machine) => machine.outcome)
}
