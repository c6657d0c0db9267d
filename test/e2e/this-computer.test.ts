import { execa } from 'execa'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { forThisK3s, lab, labMissing, ROOT } from '../lab/lab.js'
import { type Scenario, startScenario } from './cluster.js'
import { hostOf, onHost } from './hosts.js'

/** The command line as it is installed: what was built, the templates, and the packages that are not built in. */
const INSTALLED = ['bin', 'dist', 'rootfs', 'package.json']
const PACKAGES = ['ssh2', 'asn1', 'safer-buffer', 'bcrypt-pbkdf', 'tweetnacl']

describe.skipIf(labMissing())('airlift on a host that is to be the master itself', () => {
  let scene: Scenario
  let runs = true

  /** Puts a file, or what a command prints, onto the first host. */
  async function send(from: string, to: string): Promise<void> {
    const host = hostOf(scene, 0).name
    await execa('sh', ['-c', `${from} | "$1" exec "$2" -- sh -c "$3"`, 'sh', `${ROOT}/lab/lab.sh`, host, to])
  }
  /** Runs the command line there. */
  async function there(...args: string[]): Promise<{ code: number; json: Record<string, unknown> }> {
    const command = `HOME=/root /opt/airlift/node /opt/airlift/bin/airlift.js "$@" --identity /opt/airlift/key -o json; echo "exit $?"`
    const text = await lab(
      'exec',
      hostOf(scene, 0).name,
      '--',
      'sh',
      '-c',
      command,
      'sh',
      ...forThisK3s(args),
    )
    const end = text.lastIndexOf('exit ')
    return { code: Number(text.slice(end + 5)), json: JSON.parse(text.slice(0, end)) }
  }
  const where = (): string[] => ['--masters', 'local', '--nodes', `root@${hostOf(scene, 1).ip}`]

  beforeAll(async () => {
    scene = await startScenario('test-local', 2)
    const packages = PACKAGES.map((name) => `node_modules/${name}`)
    await send(
      `tar -C '${ROOT}' -cf - ${[...INSTALLED, ...packages].join(' ')}`,
      'mkdir -p /opt/airlift && tar -xf - -C /opt/airlift',
    )
    await send(`cat '${process.execPath}'`, 'cat > /opt/airlift/node && chmod 755 /opt/airlift/node')
    await send(`cat '${scene.bundle}'`, 'cat > /opt/airlift/k3s.airlift')
    await send(`cat '${scene.machines.key}'`, 'umask 077 && cat > /opt/airlift/key')
    // A Node.js that keeps itself in shared libraries runs only where it was installed.
    const version = await onHost(hostOf(scene, 0), '/opt/airlift/node --version 2>&1 || true')
    runs = version === process.version
  })
  afterAll(() => scene.end())

  it('makes a cluster of this computer and a host, and does nothing the second time', async (context) => {
    if (!runs) context.skip('this Node.js does not run on lab hosts')
    const made = await there('run', '--rootfs', '/opt/airlift/k3s.airlift', ...where())
    expect(made, JSON.stringify(made.json)).toMatchObject({
      code: 0,
      json: { outcome: 'done', machines: [{ machine: 'local://', role: 'master' }, { role: 'worker' }] },
    })
    const again = await there('run', '--rootfs', '/opt/airlift/k3s.airlift', ...where())
    expect(again.json).toMatchObject({ outcome: 'unchanged', bytesSent: 0 })
    expect(await there('status')).toMatchObject({
      code: 0,
      json: { health: 'ready', nodes: [{ machine: 'local://' }, {}] },
    })
  })

  it('tells other computers where it is: they do not take themselves for it', async (context) => {
    if (!runs) context.skip('this Node.js does not run on lab hosts')
    const [first, second] = [hostOf(scene, 0), hostOf(scene, 1)]
    const ssh = ['--identity', scene.machines.key, '--known-hosts', scene.machines.knownHosts]
    const found = await scene.cli(['status', '--nodes', `root@${second.ip}`, ...ssh, '-o', 'json'])
    expect(found.json, found.stderr).toMatchObject({
      health: 'ready',
      nodes: [{ name: first.name, address: first.ip }, { name: second.name }],
    })
    expect(JSON.stringify(found.json)).not.toContain('local://')
  })

  it('is clean after a reset, and proves it', async (context) => {
    if (!runs) context.skip('this Node.js does not run on lab hosts')
    expect(await there('reset', '--yes')).toMatchObject({ code: 0, json: { outcome: 'done', left: [] } })
    expect(await there('doctor', '--clean', ...where())).toMatchObject({ code: 0, json: { ok: true } })
  })
})
