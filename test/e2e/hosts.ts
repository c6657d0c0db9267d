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

/** Flags for machines written by hand: `root@1.2.3.4`, `ops@…`. */
export function named(
  scene: Scenario,
  masters: readonly string[],
  workers: readonly string[] = [],
): string[] {
  return [
    '--masters',
    masters.join(','),
    ...(workers.length > 0 ? ['--nodes', workers.join(',')] : []),
    ...sshFlags(scene.machines),
  ]
}

/** What `run` says of each machine, in order. */
export function outcomes(json: unknown): string[] {
  return (json as { machines: { outcome: string }[] }).machines.map((machine) => machine.outcome)
}
