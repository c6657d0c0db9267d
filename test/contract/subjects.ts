import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { execa } from 'execa'
import { buildBundle } from '../lab/build-bundle.js'
import { airlift, type CliResult, k3sUnderTest, labDown, labUp, ROOT, sshFlags } from '../lab/lab.js'

/** A kind of machine that the command line is tried on: what is typed for it, and how it is looked at past airlift. */
export interface Subject {
  /** Name of the cluster, which nobody else uses. */
  readonly cluster: string
  readonly home: string
  readonly bundle: string
  /** What names the machines of a cluster with one master and one worker. */
  readonly machines: readonly string[]
  /** What names one worker more. */
  readonly another: readonly string[]
  /** What every command for the cluster takes. */
  readonly where: readonly string[]
  /** Flags that these machines cannot have, with what the refusal must name. */
  readonly foreign: readonly (readonly [readonly string[], string])[]
  /** Begins every machine's id. */
  readonly scheme: string
  /** Runs the command line with `-o json`. */
  cli(...args: string[]): Promise<CliResult>
  /** What is left of a node, or with no name of the whole cluster, as one looks without airlift. */
  left(machine?: string): Promise<string>
  end(): Promise<void>
}

const docker = async (...args: string[]): Promise<string> => (await execa('docker', args)).stdout.trim()

async function base(kind: string): Promise<Pick<Subject, 'cluster' | 'home' | 'bundle' | 'cli'>> {
  const home = mkdtempSync(`${tmpdir()}/airlift-${kind}-`)
  const bundle = `${home}/k3s.airlift`
  await buildBundle(k3sUnderTest(), bundle, home)
  return {
    cluster: `conf-${kind}-${process.pid}`,
    home,
    bundle,
    cli: (...args) => {
      // Behind the flags there may be a command for the machines.
      const at = args.indexOf('--')
      const cut = at < 0 ? args.length : at
      return airlift([...args.slice(0, cut), '-o', 'json', ...args.slice(cut)], { home })
    },
  }
}

/** Three hosts of the lab: a master, a worker, and one for later. */
export async function hostSubject(): Promise<Subject> {
  const name = `test-conf-${process.pid}`
  const [own, lab] = await Promise.all([base('hosts'), labUp(name, 3)]).catch(async (error: unknown) => {
    await labDown(name)
    throw error
  })
  const [master, worker, later] = lab.hosts.map((host) => `root@${host.ip}`)
  if (!master || !worker || !later) throw new Error('the lab has too few hosts')
  const ssh = sshFlags(lab)
  const run = ['run', '--rootfs', own.bundle, '--name', own.cluster, '--masters', master, ...ssh]
  const look =
    'ls -d /etc/rancher /var/lib/rancher /var/lib/airlift /usr/local/bin/k3s 2>/dev/null; pgrep -l k3s; :'
  return {
    ...own,
    machines: ['--masters', master, '--nodes', worker, ...ssh],
    another: ['--nodes', later, ...ssh],
    where: ['--name', own.cluster, ...ssh],
    foreign: [
      [[...run, '-p', '8080:80'], '--port'],
      [[...run, '--memory', '2g'], '--memory'],
      [['ports', 'add', '8080:80', '--name', own.cluster], 'on hosts, where nothing is published'],
      [['reset', '--name', own.cluster, '--memory', '2g', '--dry-run'], '--memory'],
      [['status', '--name', own.cluster, '--runtime', 'k3d', ...ssh], '--runtime'],
    ],
    scheme: 'ssh://',
    left: async (machine) => {
      const hosts = lab.hosts.filter((host) => machine === undefined || machine.includes(`${host.ip}:`))
      if (hosts.length === 0) throw new Error(`the lab has no host ${machine}`)
      const found = hosts.map((host) => docker('exec', host.name, 'sh', '-c', look))
      return (await Promise.all(found)).join('\n').trim()
    },
    end: async () => {
      await labDown(name)
      rmSync(own.home, { recursive: true, force: true })
    },
  }
}

/** Containers of this computer's engine; of the stand-in where no real k3s is tested. */
export async function containerSubject(): Promise<Subject> {
  const own = await base('containers')
  const ref = `airlift-test-conf:${process.pid}`
  const { real, version } = k3sUnderTest()
  if (!real) await execa(`${ROOT}/lab/stand-in/image.sh`, [ref, version])
  const image = real ? [] : ['--image', ref]
  const label = `label=airlift.cluster=${own.cluster}`
  const rest = async (): Promise<string[]> => {
    const list = [
      docker('ps', '-a', '--filter', label, '--format', '{{.Names}}'),
      docker('volume', 'ls', '--filter', label, '--format', '{{.Name}}'),
      docker('network', 'ls', '--filter', label, '--format', '{{.Name}}'),
    ]
    return (await Promise.all(list)).flatMap((text) => text.split('\n')).filter(Boolean)
  }
  const counts = ['run', '--rootfs', own.bundle, '--name', own.cluster, '--masters', '1', ...image]
  return {
    ...own,
    machines: ['--masters', '1', '--nodes', '1', ...image],
    another: ['--nodes', '1'],
    where: ['--name', own.cluster],
    foreign: [
      [[...counts, '--user', 'root'], '--user'],
      [[...counts, '--jump', 'gate.lan'], '--jump'],
      [[...counts, '--memory', '2'], '--memory'],
      ...['status', 'stop', 'kubeconfig'].map(
        (verb) => [[verb, '--name', own.cluster, '--user', 'ops'], '--user'] as const,
      ),
      [['exec', '--name', own.cluster, '--jump', 'gate.lan', '--', 'true'], '--jump'],
      [['status', '--name', own.cluster, '--runtime', 'k3s'], '--runtime'],
    ],
    scheme: 'docker://',
    left: async (machine) => {
      const name = machine?.replace('docker://', '')
      return (await rest()).filter((entry) => name === undefined || entry.startsWith(name)).join('\n')
    },
    end: async () => {
      // Whatever a failed scenario left; all of it has the label of this cluster alone.
      const containers = (await docker('ps', '-aq', '--filter', label)).split('\n').filter(Boolean)
      if (containers.length > 0) await docker('rm', '-f', ...containers)
      for (const name of await rest()) {
        await execa('docker', ['volume', 'rm', name], { reject: false })
        await execa('docker', ['network', 'rm', name], { reject: false })
      }
      if (!real) await execa('docker', ['rmi', ref], { reject: false })
      rmSync(own.home, { recursive: true, force: true })
    },
  }
}
