import { copyFileSync, readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { execa } from 'execa'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { assembleBundle } from '../../src/rootfs/assemble.js'
import { writeBundle } from '../../src/rootfs/write-bundle.js'
import { type CliResult, k3sUnderTest, lab, labMissing, ROOT, sshFlags } from '../lab/lab.js'
import { type Scenario, startScenario } from './cluster.js'

/** What airlift might have changed on a host, as one text. */
const FINGERPRINT =
  'ls -lA /usr/local/bin /etc/systemd/system /etc/rancher /var/lib/rancher /var/lib/airlift /var/lib/kubelet 2>&1; true'

describe.skipIf(labMissing())('bad input gets one clear error, and nothing is changed', () => {
  let scene: Scenario
  let first: { name: string; ip: string }
  let second: { name: string; ip: string }

  beforeAll(async () => {
    scene = await startScenario('test-bad', 2)
    const [a, b] = scene.machines.hosts
    if (!a || !b) throw new Error('two hosts')
    first = a
    second = b
  })
  afterAll(() => scene.end())

  const on = (host: { name: string }, script: string): Promise<string> =>
    lab('exec', host.name, '--', 'sh', '-c', script)
  const run = (...more: string[]): Promise<CliResult> =>
    scene.cli(['run', '--rootfs', scene.bundle, '-o', 'json', ...more])
  const flags = (): string[] => sshFlags(scene.machines)

  /** Runs, and checks what every failure owes: one JSON error, the exit code, the wrong value, a remedy, untouched hosts. */
  async function refused(
    args: string[] | Promise<CliResult>,
    expected: { exit: number; code: string; says: RegExp },
  ): Promise<CliResult> {
    const before = await Promise.all([on(first, FINGERPRINT), on(second, FINGERPRINT)])
    const result = Array.isArray(args) ? await run(...args) : await args
    const error = (result.json as { error?: { code: string; message: string; hint: string | null } })?.error
    expect(error?.code, result.stdout + result.stderr).toBe(expected.code)
    expect(result.exitCode).toBe(expected.exit)
    expect(result.stdout + result.stderr).toMatch(expected.says)
    expect(error?.hint, 'a remedy').toBeTruthy()
    expect(result.stderr.match(/^error:/gm)).toHaveLength(1)
    expect(await Promise.all([on(first, FINGERPRINT), on(second, FINGERPRINT)])).toEqual(before)
    return result
  }

  /** Breaks a host, checks, and mends it again. */
  async function whileBroken<T>(
    host: { name: string },
    breakIt: string,
    mend: string,
    check: () => Promise<T>,
  ): Promise<T> {
    await on(host, breakIt)
    try {
      return await check()
    } finally {
      await on(host, mend)
    }
  }

  describe('on the command line', () => {
    it('an unknown flag', () =>
      refused(scene.cli(['run', '--maters', 'root@x', '-o', 'json']), {
        exit: 2,
        code: 'E_USAGE',
        says: /--maters[\s\S]*--masters/,
      }))
    it('a host that cannot be read', () =>
      refused(['--masters', 'root@@10.0.0.1:x', ...flags()], {
        exit: 2,
        code: 'E_HOST_INVALID',
        says: /root@@10\.0\.0\.1:x/,
      }))
    it('a range of ten million hosts', () =>
      refused(['--masters', '10.0.0.1', '--nodes', '10.[0-255].[0-255].[0-255]', ...flags()], {
        exit: 2,
        code: 'E_HOST_INVALID',
        says: /10\.\[0-255\]/,
      }))
    it('a host that is named twice', () =>
      refused(['--masters', `root@${first.ip}`, '--nodes', `root@${second.ip},${second.ip}`, ...flags()], {
        exit: 2,
        code: 'E_HOST_INVALID',
        says: new RegExp(second.ip),
      }))
    it('a host that is master and worker', () =>
      refused(['--masters', `root@${first.ip}`, '--nodes', `root@${first.ip}`, ...flags()], {
        exit: 2,
        code: 'E_HOST_INVALID',
        says: new RegExp(first.ip),
      }))
    it('a registries.yaml with a typo', async () => {
      const file = `${scene.home}/registries.yaml`
      writeFileSync(file, 'mirrors:\n  docker.io:\n    endpont:\n      - https://reg.local:5000\n')
      await refused(['--registries', file, ...scene.where()], {
        exit: 2,
        code: 'E_REGISTRIES_INVALID',
        says: /endpont[\s\S]*endpoint/,
      })
    })
    it('a code to ignore that does not exist', () =>
      refused(['--ignore', 'no-such-code', ...scene.where()], {
        exit: 2,
        code: 'E_USAGE',
        says: /no-such-code/,
      }))
    it('a flag that is for containers only', () =>
      refused(['--memory', '2g', ...scene.where()], { exit: 2, code: 'E_USAGE', says: /--memory/ }))
  })

  describe('in the bundle', () => {
    it('that was cut in half', async () => {
      const half = `${scene.home}/half.airlift`
      copyFileSync(scene.bundle, half)
      truncateSync(half, Math.floor(readFileSync(scene.bundle).length / 2))
      await refused(scene.cli(['run', '--rootfs', half, ...scene.where(), '-o', 'json']), {
        exit: 1,
        code: 'E_BUNDLE_DAMAGED',
        says: /half\.airlift/,
      })
    })
    it('that is none', () =>
      refused(scene.cli(['run', '--rootfs', `${ROOT}/package.json`, ...scene.where(), '-o', 'json']), {
        exit: 2,
        code: 'E_BUNDLE_INVALID',
        says: /package\.json/,
      }))
    it('of another runtime', async () => {
      const other = `${scene.home}/k0s.airlift`
      const empty = { arch: ['amd64'], files: [], images: [] } as const
      const parts = { runtime: 'k0s', version: 'v1.33.1+k0s.0', ...empty } as const
      const options = { signal: new AbortController().signal, env: { HOME: scene.home } }
      await writeBundle(other, await assembleBundle(parts), options)
      await refused(scene.cli(['run', '--rootfs', other, ...scene.where(), '-o', 'json']), {
        exit: 2,
        code: 'E_BUNDLE_RUNTIME',
        says: /rootfs of k0s, not of k3s[\s\S]*--runtime k0s/,
      })
    })
    it('that does not exist', () =>
      refused(scene.cli(['run', '--rootfs', '/nowhere.airlift', ...scene.where(), '-o', 'json']), {
        exit: 2,
        code: 'E_LOCAL_FILE',
        says: /\/nowhere\.airlift/,
      }))
    it('of another architecture', async () => {
      const other = `${scene.home}/arm.airlift`
      writeFileSync(`${scene.home}/k3s-arm64`, '#!/bin/sh\n')
      const build = `rootfs build --runtime k3s --version ${k3sUnderTest().version} --arch arm64`.split(' ')
      const parts = ['--binary', `${scene.home}/k3s-arm64`, '--images', await emptyArmArchive()]
      const built = await scene.cli([...build, ...parts, '--output', other])
      expect(built.stderr).not.toContain('error:')
      await refused(scene.cli(['run', '--rootfs', other, ...scene.where(), '-o', 'json']), {
        exit: 5,
        code: 'E_PREFLIGHT',
        says: /arch-mismatch[\s\S]*arm64/,
      })
    })
  })

  describe('on the way to the host', () => {
    it('nobody there', () =>
      refused(['--masters', 'root@127.0.0.1:1', ...flags()], {
        exit: 1,
        code: 'E_SSH_UNREACHABLE',
        says: /127\.0\.0\.1/,
      }))
    it('a key that is refused', async () => {
      const key = `${scene.home}/other-key`
      await execa('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', key])
      await refused(
        scene.cli(
          [
            'run',
            '--rootfs',
            scene.bundle,
            '--masters',
            `root@${first.ip}`,
            '--identity',
            key,
            '--known-hosts',
            scene.machines.knownHosts,
            '-o',
            'json',
          ],
          { SSH_AUTH_SOCK: '' },
        ),
        { exit: 1, code: 'E_SSH_AUTH', says: new RegExp(first.ip) },
      )
    })
    it('a host key that has changed, with both fingerprints and the line', async () => {
      const known = `${scene.home}/changed`
      await execa('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', `${scene.home}/false`])
      writeFileSync(known, `# first line\n${first.ip} ${readFileSync(`${scene.home}/false.pub`, 'utf8')}`)
      await refused(
        scene.cli([
          'run',
          '--rootfs',
          scene.bundle,
          '--masters',
          `root@${first.ip}`,
          '--identity',
          scene.machines.key,
          '--known-hosts',
          known,
          '-o',
          'json',
        ]),
        { exit: 1, code: 'E_SSH_HOST_KEY', says: /SHA256:\S+, but \S+:2 has ssh-ed25519 SHA256:/ },
      )
      expect(readFileSync(known, 'utf8').split('\n')).toHaveLength(3)
    })
    it('a user without sudo', () =>
      refused(['--masters', `nosudo@${first.ip}`, ...flags()], { exit: 1, code: 'E_SUDO', says: /nosudo/ }))
    it('a wrong password for sudo', () =>
      refused(
        scene.cli(
          ['run', '--rootfs', scene.bundle, '--masters', `ops@${first.ip}`, ...flags(), '-o', 'json'],
          { AIRLIFT_SUDO_PASSWORD: 'wrong' },
        ),
        { exit: 1, code: 'E_SUDO', says: /ops/ },
      ))
  })

  describe('found by preflight', () => {
    const preflight = (says: RegExp): Promise<CliResult> =>
      refused(scene.where(), { exit: 5, code: 'E_PREFLIGHT', says })

    it('a port that is taken', () =>
      whileBroken(
        first,
        `setsid python3 -m http.server 6443 >/dev/null 2>&1 & sleep 0.7`,
        'pkill -f "[h]ttp.server 6443"',
        () => preflight(/port-in-use[\s\S]*6443/),
      ))
    it('a clock that is off by an hour', () =>
      whileBroken(
        second,
        `printf '#!/bin/sh\\nexec /usr/bin/date -d "+1 hour" "$@"\\n' > /usr/local/sbin/date; chmod +x /usr/local/sbin/date`,
        'rm /usr/local/sbin/date',
        () => preflight(/clock-skew/),
      ))
    it('two hosts with one name', () =>
      whileBroken(second, `hostname ${first.name}`, `hostname ${second.name}`, () =>
        preflight(new RegExp(`duplicate-hostname[\\s\\S]*${first.name}`)),
      ))
    it('a read-only /usr/local', () =>
      whileBroken(
        second,
        'mount --bind /usr/local /usr/local && mount -o remount,ro,bind /usr/local',
        'umount /usr/local',
        () => preflight(/read-only[\s\S]*\/usr\/local/),
      ))
    it('a 32-bit host', () =>
      whileBroken(
        second,
        `printf '#!/bin/sh\\n/usr/bin/uname "$@" | sed s/x86_64/i686/\\n' > /usr/local/sbin/uname; chmod +x /usr/local/sbin/uname`,
        'rm /usr/local/sbin/uname',
        () => preflight(/os-32bit[\s\S]*i686|i686[\s\S]*os-32bit/),
      ))
    it('a host without systemd or OpenRC', () =>
      whileBroken(second, 'mount -t tmpfs none /run/systemd', 'umount /run/systemd', () =>
        preflight(/no-init/),
      ))
    it('a disk that is too small', () =>
      whileBroken(
        second,
        'mkdir -p /var/lib/rancher && mount -t tmpfs -o size=20m none /var/lib/rancher',
        'umount /var/lib/rancher; rmdir /var/lib/rancher',
        () => preflight(/disk-space/),
      ))
    it('several things at once, each with its fix', () =>
      whileBroken(
        second,
        `hostname ${first.name}; mount --bind /usr/local /usr/local && mount -o remount,ro,bind /usr/local`,
        `umount /usr/local; hostname ${second.name}`,
        async () => {
          const result = await preflight(/duplicate-hostname/)
          expect(result.stdout + result.stderr).toMatch(/read-only/)
        },
      ))
    it('beside a host that cannot be reached: both are told', () =>
      whileBroken(second, `hostname ${first.name}`, `hostname ${second.name}`, async () => {
        const where = scene.where()
        const nodes = where.map((word) => (word === `root@${second.ip}` ? `${word},root@127.0.0.1:1` : word))
        const result = await refused(nodes, { exit: 5, code: 'E_PREFLIGHT', says: /duplicate-hostname/ })
        expect(result.stdout + result.stderr).toMatch(/unreachable[\s\S]*127\.0\.0\.1/)
      }))
  })

  it('a disk that fills up while files arrive: named, kept, and the next run goes on', async () => {
    await on(second, 'mkdir -p /var/lib/airlift && mount -t tmpfs -o size=8k none /var/lib/airlift')
    const result = await run(...scene.where(), '--ignore', 'disk-space')
    expect(result.exitCode, result.stdout).toBe(3)
    const { machines } = result.json as { machines: { machine: string; error: { code: string } | null }[] }
    const failed = machines.filter(({ error }) => error !== null)
    expect(failed).toMatchObject([
      { machine: expect.stringContaining(second.ip), error: { code: 'E_DISK_FULL' } },
    ])
    const half =
      "find / -xdev \\( -name '*.airlift-*' -o -name '.*.airlift-*' \\) -print; ls -A /var/lib/airlift/blobs/sha256"
    expect(await on(second, `{ ${half}; } 2>/dev/null; :`)).not.toMatch(/airlift-[0-9a-f]|tmp/)
    await on(second, 'umount /var/lib/airlift; rmdir /var/lib/airlift')
    const again = await run(...scene.where())
    expect(again.json).toMatchObject({ outcome: 'done' })
    const gone = await scene.cli(['reset', '--yes', ...scene.where()])
    expect(gone.exitCode).toBe(0)
  })

  it('a k3s that airlift did not make is recognised, by run and by reset', async () => {
    await on(
      first,
      `printf '[Service]\\nExecStart=/usr/bin/sleep infinity\\n' > /etc/systemd/system/k3s.service; systemctl daemon-reload; systemctl start k3s`,
    )
    try {
      const result = await run(...scene.where())
      expect(result.exitCode).toBe(5)
      expect(result.json).toMatchObject({ error: { message: expect.stringContaining('k3s') } })
      const reset = await scene.cli(['reset', '--yes', ...scene.where(), '-o', 'json'])
      expect(reset.exitCode).toBe(5)
      expect(await on(first, 'systemctl is-active k3s')).toBe('active')
    } finally {
      await on(first, 'systemctl stop k3s; rm /etc/systemd/system/k3s.service; systemctl daemon-reload')
    }
  })

  /** An archive of one small image for arm64. */
  async function emptyArmArchive(): Promise<string> {
    const dir = `${scene.home}/arm`
    await execa('mkdir', ['-p', dir])
    const layer = Buffer.alloc(1024)
    writeFileSync(`${dir}/layer.tar`, layer)
    const { createHash } = await import('node:crypto')
    const diffId = `sha256:${createHash('sha256').update(layer).digest('hex')}`
    writeFileSync(
      `${dir}/config.json`,
      JSON.stringify({
        architecture: 'arm64',
        os: 'linux',
        rootfs: { type: 'layers', diff_ids: [diffId] },
        config: {},
      }),
    )
    writeFileSync(
      `${dir}/manifest.json`,
      JSON.stringify([
        { Config: 'config.json', RepoTags: ['rancher/mirrored-pause:3.6'], Layers: ['layer.tar'] },
      ]),
    )
    await execa('tar', ['-cf', `${dir}.tar`, '-C', dir, 'manifest.json', 'config.json', 'layer.tar'])
    return `${dir}.tar`
  }
})
