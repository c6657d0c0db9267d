import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type CliResult, k3sUnderTest, LONG, lab, labMissing, sshFlags } from '../lab/lab.js'
import { killAt, type Scenario, startScenario } from './cluster.js'
import { cut, heal, hostOf, named, onHost, outcomes } from './hosts.js'

interface Result {
  readonly outcome?: string
  readonly steps?: { readonly done: number }
  readonly error?: { readonly code: string; readonly message: string; readonly hint: string | null }
}

const errorOf = (result: CliResult): NonNullable<Result['error']> =>
  (result.json as Result).error ?? { code: 'none', message: result.stdout + result.stderr, hint: null }

const KNOBS = '/etc/rancher/standin.json'
const mend = `rm -f ${KNOBS}; rmdir /etc/rancher 2>/dev/null || :`

/** What proves that k3s on a host was not touched: its process, and the files that it reads. */
const UNTOUCHED =
  'systemctl show -p MainPID --value k3s k3s-agent | tr -d "\\n"; sha256sum /etc/rancher/k3s/* /etc/systemd/system/k3s*.service; stat -c "%n %Y" /etc/rancher/k3s/*'

describe.skipIf(labMissing())('three masters and two workers', () => {
  let scene: Scenario
  beforeAll(async () => {
    scene = await startScenario('test-nodes', 5)
    // It notes on no Node who votes in etcd, until that is taken back: k3s does so only every 15 seconds.
    const never = `mkdir -p /etc/rancher && echo '{"note_ms":3600000}' > ${KNOBS}`
    if (!k3sUnderTest().real) await Promise.all([0, 1, 2].map((index) => onHost(hostOf(scene, index), never)))
    const made = await scene.cli([
      'run',
      '--rootfs',
      scene.bundle,
      ...scene.where(3),
      '--set',
      'disable=traefik',
      '-o',
      'json',
    ])
    expect(made.json, made.stderr).toMatchObject({ outcome: 'done' })
  }, LONG)
  afterAll(() => scene?.end())

  const ssh = (): string[] => sshFlags(scene.machines)
  const root = (index: number): string => `root@${hostOf(scene, index).ip}`
  const nameOf = (index: number): string => hostOf(scene, index).name
  const remove = (...args: string[]): Promise<CliResult> =>
    scene.cli(['delete', ...args, '--yes', ...ssh(), '-o', 'json'])
  const add = (...args: string[]): Promise<CliResult> =>
    scene.cli(['add', '--rootfs', scene.bundle, ...args, ...ssh(), '-o', 'json'])
  const status = async (): Promise<Record<string, unknown>> =>
    (await scene.cli(['status', ...ssh(), '-o', 'json'])).json as Record<string, unknown>
  const nodesOf = async (): Promise<string[]> =>
    ((await status()).nodes as { name: string }[]).map((node) => node.name).sort()
  /** A busy machine may miss a heartbeat of a node; what counts is what it comes to. */
  const mustBecome = (wanted: object): Promise<void> =>
    expect.poll(status, { timeout: 90_000, interval: 2000 }).toMatchObject(wanted)
  const kubectl = (index: number, text: string): Promise<string> =>
    onHost(hostOf(scene, index), `k3s kubectl ${text}`)
  /** The cluster has noticed that a node is gone. */
  const untilNotReady = async (index: number, timeout: number): Promise<void> => {
    const path = '{.status.conditions[?(@.type=="Ready")].status}'
    const ready = (): Promise<string> => kubectl(1, `get node ${nameOf(index)} -o jsonpath='${path}'`)
    await expect.poll(async () => (await ready()).trim(), { timeout, interval: 1000 }).not.toBe('True')
  }
  const mustBeClean = async (index: number): Promise<void> => {
    const clean = await scene.cli(['doctor', '--clean', ...named(scene, [root(index)])])
    expect(clean.exitCode, clean.stdout).toBe(0)
  }

  it('lose the first master at once after a run, and nothing else notices', { timeout: LONG }, async () => {
    const others = [1, 2, 3, 4]
    const before = await Promise.all(others.map((index) => onHost(hostOf(scene, index), UNTOUCHED)))
    const plan = await scene.cli(['plan', 'delete', '--masters', nameOf(0), ...ssh(), '-o', 'json'])
    expect((plan.json as { steps: { id: string }[] }).steps.map((step) => step.id)).toEqual(
      expect.arrayContaining([`${nameOf(0)}/drain`, `${nameOf(0)}/leave`, `${nameOf(0)}/remove`]),
    )
    expect(await nodesOf()).toContain(nameOf(0))

    const result = await remove('--masters', nameOf(0), '--timeout', '100s')
    expect(result.exitCode, result.stderr).toBe(0)
    expect(result.json).toMatchObject({ operation: 'delete', outcome: 'done', left: [] })
    expect(outcomes(result.json)).toEqual(['changed'])
    if (!k3sUnderTest().real) expect(await kubectl(1, 'get nodes -o json')).not.toContain('EtcdIsVoter')
    await Promise.all([0, 1, 2].map((index) => onHost(hostOf(scene, index), mend)))
    expect(result.stderr).toMatch(/two masters are less safe than one/)
    expect(await Promise.all(others.map((index) => onHost(hostOf(scene, index), UNTOUCHED)))).toEqual(before)
    await mustBecome({
      health: 'ready',
      datastore: { kind: 'etcd', members: 2, healthy: 2 },
      problems: [],
    })
    const members = JSON.parse(await kubectl(1, 'get --raw /db/info')) as { members: { name: string }[] }
    expect(members.members.map((member) => member.name.replace(/-[0-9a-f]{8}$/, '')).sort()).toEqual(
      [nameOf(1), nameOf(2)].sort(),
    )
    expect(
      await kubectl(1, `get secret ${nameOf(0)}.node-password.k3s -n kube-system --ignore-not-found`),
    ).toBe('')
    await mustBeClean(0)
    // The kubeconfig that named the first master names one that is there.
    expect(result.json).toMatchObject({
      kubeconfig: { server: expect.stringContaining(hostOf(scene, 1).ip) },
    })
    expect(await lab('exec', nameOf(1), '--', 'sh', '-c', 'cat /var/lib/airlift/cluster.json')).not.toContain(
      hostOf(scene, 0).ip,
    )
  })

  it('are left alone by the next run, although their configurations name a master that is gone', async () => {
    const args = named(scene, [root(1), root(2)], [root(3), root(4)])
    const again = await scene.cli([
      'run',
      '--rootfs',
      scene.bundle,
      '--set',
      'disable=traefik',
      ...args,
      '-o',
      'json',
    ])
    expect(again.json, again.stderr).toMatchObject({ outcome: 'unchanged' })
  })

  it('take it back under its old name, with the configuration of the cluster', {
    timeout: LONG,
  }, async () => {
    const others = [1, 2, 3, 4]
    const before = await Promise.all(others.map((index) => onHost(hostOf(scene, index), UNTOUCHED)))
    const result = await add('--masters', root(0))
    expect(result.exitCode, result.stderr).toBe(0)
    expect(result.json).toMatchObject({ operation: 'add', outcome: 'done' })
    expect(outcomes(result.json)).toEqual(['changed'])
    expect(await onHost(hostOf(scene, 0), 'cat /etc/rancher/k3s/config.yaml')).toContain('traefik')
    expect(await Promise.all(others.map((index) => onHost(hostOf(scene, index), UNTOUCHED)))).toEqual(before)
    await mustBecome({ health: 'ready', datastore: { members: 3, healthy: 3 } })
    expect((await add('--masters', root(0))).json).toMatchObject({ outcome: 'unchanged', bytesSent: 0 })
    const run = await scene.cli([
      'run',
      '--rootfs',
      scene.bundle,
      '--set',
      'disable=traefik',
      ...scene.where(3),
      '-o',
      'json',
    ])
    expect(run.json, run.stderr).toMatchObject({ outcome: 'unchanged' })
  })

  it('refuse what would cost them their quorum or their last master, and change nothing', async () => {
    const all = await remove('--masters', 'masters:*')
    expect(all.exitCode).toBe(5)
    expect(errorOf(all)).toMatchObject({ code: 'E_REFUSED', message: expect.stringMatching(/all masters/) })
    await onHost(hostOf(scene, 2), 'systemctl stop k3s')
    try {
      await untilNotReady(2, 90_000)
      const ill = await remove('--masters', nameOf(0))
      expect(ill.exitCode).toBe(5)
      expect(errorOf(ill)).toMatchObject({ code: 'E_REFUSED', message: expect.stringContaining(nameOf(2)) })
      const join = await add('--masters', root(4))
      expect(join.exitCode).not.toBe(0)
      expect(await nodesOf()).toHaveLength(5)
    } finally {
      await onHost(hostOf(scene, 2), 'systemctl start --no-block k3s')
    }
    await expect.poll(async () => (await status()).health, { timeout: 120_000, interval: 2000 }).toBe('ready')
  })

  it('refuse names that are not theirs, with exit 2', async () => {
    for (const [args, code] of [
      [['--nodes', 'nobody'], 'E_HOST_INVALID'],
      [['--nodes', 'workers:7'], 'E_HOST_INVALID'],
      [['--nodes', '2'], 'E_HOST_INVALID'],
      [['--nodes', nameOf(0)], 'E_REMOVE_REFUSED'],
      [['--masters', nameOf(3)], 'E_REMOVE_REFUSED'],
    ] as const) {
      const result = await remove(...args)
      expect([args, result.exitCode, errorOf(result).code]).toEqual([args, 2, code])
    }
    expect((await remove()).exitCode).toBe(2)
    expect((await remove('--nodes', nameOf(3), '--drain-timeout', '0s')).exitCode).toBe(2)
  })

  it('respect a PodDisruptionBudget until --force', { timeout: LONG }, async () => {
    const image = 'docker.io/rancher/mirrored-pause:3.6'
    const manifest = [
      `{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"kept"},"spec":{"replicas":1,"selector":{"matchLabels":{"app":"kept"}},"template":{"metadata":{"labels":{"app":"kept"}},"spec":{"nodeSelector":{"kubernetes.io/hostname":"${nameOf(4)}"},"terminationGracePeriodSeconds":1,"containers":[{"name":"kept","image":"${image}","imagePullPolicy":"Never"}]}}}}`,
      '{"apiVersion":"policy/v1","kind":"PodDisruptionBudget","metadata":{"name":"kept"},"spec":{"minAvailable":1,"selector":{"matchLabels":{"app":"kept"}}}}',
    ]
    for (const one of manifest)
      await onHost(hostOf(scene, 1), `printf '%s' '${one}' | k3s kubectl apply -f -`)
    await expect
      .poll(() => kubectl(1, `get pods -l app=kept -o jsonpath='{.items[*].status.phase}'`), {
        timeout: 60_000,
        interval: 500,
      })
      .toContain('Running')

    const stuck = await remove('--nodes', nameOf(4), '--drain-timeout', '8s')
    expect(stuck.exitCode, stuck.stdout).toBe(4)
    expect(errorOf(stuck)).toMatchObject({
      code: 'E_DRAIN',
      message: expect.stringMatching(/PodDisruptionBudget forbids evicting default\/kept-/),
      hint: expect.stringMatching(/stays cordoned.*--force/),
    })
    expect(await kubectl(1, `get node ${nameOf(4)} -o jsonpath='{.spec.unschedulable}'`)).toContain('true')
    expect(await onHost(hostOf(scene, 4), 'systemctl is-active k3s-agent')).toBe('active')

    const forced = await remove('--nodes', nameOf(4), '--drain-timeout', '3s', '--force')
    expect(forced.exitCode, forced.stderr).toBe(0)
    expect(forced.stderr).toMatch(/whatever a PodDisruptionBudget says/)
    await mustBeClean(4)
    expect(await nodesOf()).not.toContain(nameOf(4))
    await kubectl(1, 'delete deployment kept')
    await kubectl(1, 'delete pdb kept')
  })

  it('take a worker by a host that tells where its cluster is, without a record', {
    timeout: LONG,
  }, async () => {
    expect((await add('--nodes', root(4))).json).toMatchObject({ outcome: 'done' })
    const elsewhere = { XDG_STATE_HOME: `${scene.home}/nothing`, KUBECONFIG: `${scene.home}/other` }
    const lost = await scene.cli(['delete', '--nodes', nameOf(4), '--yes', ...ssh(), '-o', 'json'], elsewhere)
    expect(lost.exitCode).not.toBe(0)
    const found = await scene.cli(['delete', '--nodes', root(4), '--yes', ...ssh(), '-o', 'json'], elsewhere)
    expect(found.json, found.stderr).toMatchObject({ outcome: 'done' })
    const again = await scene.cli(
      ['add', '--rootfs', scene.bundle, '--nodes', root(4), '--through', root(1), ...ssh(), '-o', 'json'],
      { ...elsewhere, XDG_STATE_HOME: `${scene.home}/nothing2` },
    )
    expect(again.json, again.stderr).toMatchObject({ outcome: 'done' })
    expect(await nodesOf()).toContain(nameOf(4))
    // Found from one worker, and yet all of the cluster is remembered, on machines as here.
    const record = JSON.parse(await onHost(hostOf(scene, 1), 'cat /var/lib/airlift/cluster.json')) as object
    expect(record).toMatchObject({
      masters: expect.arrayContaining([root(0), root(1), root(2)]),
      nodes: [root(3), root(4)],
    })
    await mustBecome({ health: 'ready', problems: [] })
  })

  it('name the release when no rootfs is given', async () => {
    const result = await scene.cli(['add', '--nodes', root(4), ...ssh(), '-o', 'json'])
    expect(result.exitCode).toBe(2)
    expect(errorOf(result).message).toMatch(/no rootfs is given; the cluster runs v1\./)
  })

  it('lose a worker also when the delete is killed at every step', { timeout: LONG }, async () => {
    const args = ['delete', '--nodes', nameOf(4), '--yes', ...ssh()]
    const kills: string[] = []
    for (const step of ['drain', 'quiet', 'leave', 'remove']) {
      const at = `step.start","machine":"ssh://${root(4)}:22","step":"${nameOf(4)}/${step}`
      const { killed, exitCode, stderr } = await killAt(args, scene.home, at, 1)
      if (killed) kills.push(step)
      // What was under way when it was killed may have come to its end by itself.
      else expect(exitCode, stderr).toBe(0)
    }
    expect(kills.length, kills.join()).toBeGreaterThan(2)
    const last = await scene.cli([...args, '-o', 'json'])
    expect(last.exitCode === 0 || errorOf(last).code === 'E_HOST_INVALID', last.stdout).toBe(true)
    await mustBeClean(4)
    expect(await nodesOf()).not.toContain(nameOf(4))
    await mustBecome({ health: 'ready', problems: [] })
  })

  it('lose a master also when the delete is killed while it leaves', { timeout: LONG }, async () => {
    const args = ['delete', '--masters', nameOf(2), '--yes', ...ssh()]
    const leave = `step.start","machine":"ssh://${root(2)}:22","step":"${nameOf(2)}/leave`
    const { killed, stderr } = await killAt(args, scene.home, leave, 1)
    expect(killed, stderr).toBe(true)
    const again = await scene.cli([...args, '-o', 'json'])
    expect(again.exitCode, again.stderr).toBe(0)
    await mustBeClean(2)
    await mustBecome({ health: 'ready', datastore: { members: 2, healthy: 2 } })
    expect((await add('--masters', root(2))).json).toMatchObject({ outcome: 'done' })
  })

  it('let a dead machine go with --force, and know it when it is back', { timeout: LONG }, async () => {
    await cut(scene, 2)
    try {
      const refused = await remove('--masters', nameOf(2))
      expect(refused.exitCode).toBe(1)
      expect(errorOf(refused)).toMatchObject({ hint: expect.stringContaining('--force') })
      await untilNotReady(2, 120_000)
      const forced = await remove('--masters', nameOf(2), '--force')
      expect(forced.exitCode, forced.stderr).toBe(3)
      expect(forced.json).toMatchObject({ outcome: 'partial' })
      expect(forced.stdout).toMatch(/was not cleaned/)
      await mustBecome({ health: 'ready', datastore: { members: 2, healthy: 2 } })
    } finally {
      await heal(scene, 2)
    }
    const back = await remove('--masters', root(2))
    expect(back.exitCode, back.stderr).toBe(0)
    await mustBeClean(2)
    await mustBecome({ health: 'ready' })
  })
})
