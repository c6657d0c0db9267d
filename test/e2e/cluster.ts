import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { execa } from 'execa'
import { buildBundle } from '../lab/build-bundle.js'
import { openEngineDoor } from '../lab/engine-door.js'
import {
  airlift,
  type CliResult,
  forThisK3s,
  k3sUnderTest,
  type Lab,
  labDown,
  labUp,
  ROOT,
  sshFlags,
} from '../lab/lab.js'

/** A lab, a home of its own and a bundle: what every scenario starts from. */
export interface Scenario {
  readonly machines: Lab
  readonly home: string
  readonly bundle: string
  /** Flags that name all hosts: so many masters, the rest workers. */
  where(masters?: number): string[]
  cli(args: readonly string[], env?: Record<string, string>): Promise<CliResult>
  end(): Promise<void>
}

/** Starts a scenario. */
export async function startScenario(name: string, hosts: number, ...labFlags: string[]): Promise<Scenario> {
  const home = mkdtempSync(`${tmpdir()}/airlift-${name}-`)
  const bundle = `${home}/k3s.airlift`
  const [machines] = await Promise.all([
    labUp(name, hosts, ...labFlags),
    buildBundle(k3sUnderTest(), bundle, home),
  ])
  return {
    machines,
    home,
    bundle,
    where: (masters = 1) => whereFlags(machines, masters),
    cli: (args, env = {}) => airlift(args, { home, env }),
    async end() {
      await labDown(name)
      rmSync(home, { recursive: true, force: true })
    },
  }
}

function whereFlags(machines: Lab, masters: number): string[] {
  const hosts = machines.hosts.map((host) => `root@${host.ip}`)
  const workers = hosts.slice(masters)
  return [
    '--masters',
    hosts.slice(0, masters).join(','),
    ...(workers.length > 0 ? ['--nodes', workers.join(',')] : []),
    ...sshFlags(machines),
  ]
}

/**
 * Runs the command line and kills it (SIGKILL, or as given) at the n-th event with the code. Resolves with whether it was
 * killed, once the container engine has done what it had asked for.
 */
export async function killAt(
  args: readonly string[],
  home: string,
  code: string,
  n: number,
  signal: NodeJS.Signals = 'SIGKILL',
  host = process.env.DOCKER_HOST ?? 'unix:///var/run/docker.sock',
): Promise<{ killed: boolean; exitCode: number | undefined; stderr: string }> {
  const engine = existsSync(host.replace(/^unix:\/\//, '')) ? await openEngineDoor(host) : undefined
  const child = execa(process.execPath, [`${ROOT}/bin/airlift.js`, ...forThisK3s(args), '--events'], {
    reject: false,
    stdin: 'ignore',
    env: {
      HOME: home,
      XDG_STATE_HOME: `${home}/.state`,
      KUBECONFIG: `${home}/kubeconfig`,
      CI: '1',
      ...(engine ? { DOCKER_HOST: engine.host } : {}),
    },
  })
  let seen = 0
  let killed = false
  for await (const line of child.iterable({ from: 'stderr' })) {
    if (killed || !line.includes(`"code":"${code}"`) || ++seen < n) continue
    killed = true
    child.kill(signal)
  }
  const { exitCode, stderr } = await child
  await engine?.settled()
  await engine?.close()
  return { killed, exitCode, stderr }
}
