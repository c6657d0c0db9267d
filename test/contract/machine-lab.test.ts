import { createHash, randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { Readable } from 'node:stream'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { SshOptions } from '../../src/cluster/spec.js'
import type { Machine } from '../../src/machine/machine.js'
import type { Lab } from '../lab/lab.js'
import { lab, labDown, labMissing, labUp } from '../lab/lab.js'
import { reach } from './reach.js'

const NAME = process.env.AIRLIFT_TEST_LAB_MACHINES ?? 'test-machines'
const kinds = ['ssh', 'openssh'] as const
let machines: Lab

beforeAll(async () => {
  if (!labMissing()) machines = await labUp(NAME, 2, '--bastion', '--with-password')
})
afterAll(async () => {
  if (!labMissing() && process.env.AIRLIFT_TEST_LAB_MACHINES === undefined) await labDown(NAME)
})

function address(index = 0): string {
  return machines.hosts[index]?.ip ?? ''
}

interface As {
  readonly user: string
  readonly flags?: Partial<SshOptions>
  readonly env?: Record<string, string>
}

function as({ user, flags, env }: As): Promise<Machine> {
  return reach({
    host: address(),
    user,
    flags: { identities: [machines.key], knownHosts: machines.knownHosts, hostKeys: 'strict', ...flags },
    env: { PATH: process.env.PATH ?? '', ...env },
  })
}

async function use<T>(who: As, what: (machine: Machine) => Promise<T>): Promise<T> {
  const machine = await as(who)
  try {
    return await what(machine)
  } finally {
    await machine.close()
  }
}

const uid = (machine: Machine): Promise<string> => machine.run('id -u').then(({ stdout }) => stdout.trim())

describe.skipIf(labMissing()).each(kinds)('users of a real host over %s', (transport) => {
  const flags = { transport }
  const password = { AIRLIFT_SUDO_PASSWORD: 'ops-secret' }

  it('is root as root, without sudo, in one round trip', async () => {
    await use({ user: 'root', flags }, async (machine) => {
      expect(await uid(machine)).toBe('0')
      expect(machine.stats.roundTrips).toBe(1)
    })
  })

  it('is root through sudo without a password, in one round trip', async () => {
    await use({ user: 'deploy', flags }, async (machine) => {
      expect(await uid(machine)).toBe('0')
      expect(machine.stats.roundTrips).toBe(1)
      expect((await machine.run('id -un', { root: false })).stdout).toBe('deploy\n')
    })
  })

  it('is root through sudo with a password, and hands data over after it', async () => {
    await use({ user: 'ops', flags, env: password }, async (machine) => {
      expect(await uid(machine)).toBe('0')
      const data = randomBytes(1 << 20)
      const { stdout } = await machine.run('sha256sum', { stdin: data })
      expect(stdout.slice(0, 64)).toBe(createHash('sha256').update(data).digest('hex'))
    })
  })

  it('does not give the password to a sudo that does not ask', async () => {
    await use({ user: 'deploy', flags, env: password }, async (machine) => {
      expect((await machine.run('cat; id -u', { stdin: 'data' })).stdout).toBe('data0\n')
    })
  })

  it('shows neither script nor password to other users of the host', async () => {
    await use({ user: 'ops', flags, env: password }, async (machine) => {
      const word = `word-${randomBytes(6).toString('hex')}`
      const { stdout } = await machine.run(
        `x=${word}; ps -eo args; cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null | tr '\\0' '\\n'`,
      )
      expect(stdout).toContain('sudo')
      expect(stdout).not.toContain(word)
      expect(stdout).not.toContain('ops-secret')
    })
  })

  it('says that the password is wrong after one attempt', async () => {
    await use({ user: 'ops', flags, env: { AIRLIFT_SUDO_PASSWORD: 'not this' } }, async (machine) => {
      await expect(machine.run('true')).rejects.toMatchObject({
        code: 'E_SUDO',
        message: 'sudo refused the password',
        machine: 'web1',
      })
    })
  })

  it('says that a password is wanted', async () => {
    await use({ user: 'ops', flags }, async (machine) => {
      await expect(machine.run('true')).rejects.toMatchObject({
        code: 'E_SUDO',
        hint: expect.stringContaining('--ask-sudo-pass'),
      })
    })
  })

  it('says that the user is not in sudoers', async () => {
    await use({ user: 'nosudo', flags, env: { AIRLIFT_SUDO_PASSWORD: 'nosudo-secret' } }, async (machine) => {
      await expect(machine.run('true')).rejects.toMatchObject({
        code: 'E_SUDO',
        message: expect.stringMatching(/sudoers|does not let/),
      })
    })
  })

  it('does not use sudo where that was forbidden, and always where that was asked for', async () => {
    await use({ user: 'deploy', flags: { ...flags, sudo: 'never' } }, async (machine) => {
      await expect(machine.run('true')).rejects.toMatchObject({
        code: 'E_SUDO',
        message: expect.stringContaining('switched off'),
      })
      expect((await machine.run('id -un', { root: false })).stdout).toBe('deploy\n')
    })
    await use({ user: 'root', flags: { ...flags, sudo: 'always' } }, async (machine) => {
      expect((await machine.run('echo "$SUDO_USER"')).stdout).toBe('root\n')
    })
  })

  it('says that sudo wants a terminal, and that there is no sudo', async () => {
    await use({ user: 'root', flags }, async (admin) => {
      await admin.run(
        'echo "Defaults:deploy requiretty" >/etc/sudoers.d/zz-tty; chmod 440 /etc/sudoers.d/zz-tty',
      )
      try {
        await use({ user: 'deploy', flags }, async (machine) => {
          await expect(machine.run('true')).rejects.toMatchObject({
            code: 'E_SUDO',
            message: expect.stringContaining('requiretty'),
          })
        })
      } finally {
        await admin.run('rm /etc/sudoers.d/zz-tty; mv /usr/bin/sudo /usr/bin/sudo.away')
      }
      try {
        await use({ user: 'deploy', flags }, async (machine) => {
          await expect(machine.run('true')).rejects.toMatchObject({
            code: 'E_SUDO',
            message: expect.stringContaining('there is no sudo'),
          })
        })
      } finally {
        await admin.run('mv /usr/bin/sudo.away /usr/bin/sudo')
      }
    })
  })

  it('puts files through sudo, owned by root', async () => {
    await use({ user: 'ops', flags, env: password }, async (machine) => {
      const content = randomBytes(9 << 20)
      await machine.put({
        path: '/usr/local/lib/airlift-test/file',
        open: () => Readable.from([content.subarray(0, 5 << 20), content.subarray(5 << 20)]),
        sizeBytes: content.length,
        sha256: createHash('sha256').update(content).digest('hex'),
        mode: '0600',
      })
      const { stdout } = await machine.run(
        'stat -c "%U %a %s" /usr/local/lib/airlift-test/file; ls -A /usr/local/lib/airlift-test; rm -r /usr/local/lib/airlift-test',
      )
      expect(stdout).toBe(`root 600 ${content.length}\nfile\n`)
    })
  })

  it('ends what runs under sudo at the deadline', async () => {
    await use({ user: 'ops', flags, env: password }, async (machine) => {
      const mark = `7${Date.now() % 1_000_000}`
      await expect(
        machine.run(`sleep ${mark} & timeout 900 sleep ${mark}`, { timeoutMs: 2_500 }),
      ).rejects.toMatchObject({ code: 'E_TIMEOUT' })
      expect((await machine.run(`ps -eo args | grep -c '[s]leep ${mark}'`)).stdout.trim()).toBe('0')
    })
  })

  it('logs in with a password, and says so when it is wrong', async () => {
    const who = { user: 'root', flags: { ...flags, identities: [], configFile: 'none' } }
    await use({ ...who, env: { AIRLIFT_SSH_PASSWORD: 'root-secret' } }, async (machine) => {
      expect(await uid(machine)).toBe('0')
    })
    const wrong = as({ ...who, env: { AIRLIFT_SSH_PASSWORD: 'not this' } })
    await expect(wrong).rejects.toMatchObject({
      code: 'E_SSH_AUTH',
      message: expect.stringContaining('password'),
    })
  })

  it('reaches a host through a bastion', async () => {
    const { bastion } = machines
    expect(bastion).not.toBeNull()
    await use(
      {
        user: 'root',
        flags: { ...flags, jump: `root@${bastion?.ip}:${bastion?.port}`, hostKeys: 'accept-new' },
      },
      async (machine) => {
        const { stdout } = await machine.run('echo "${SSH_CONNECTION%% *}"')
        expect(stdout.trim()).not.toBe('')
        expect((await machine.run('hostname')).stdout.trim()).toBe(machines.hosts[0]?.name)
      },
    )
  })

  it.each(['csh', 'fish', 'bash', 'dash', 'busybox'])(
    'does not mind that the login shell is %s',
    async (shell) => {
      await use({ user: 'root', flags }, async (admin) => {
        const found = await admin.run(`command -v ${shell}`)
        if (found.exitCode !== 0) return
        const path = shell === 'busybox' ? '/usr/local/bin/ash' : found.stdout.trim()
        if (shell === 'busybox') await admin.run('ln -sf "$(command -v busybox)" /usr/local/bin/ash')
        await admin.run(`usermod -s ${path} deploy`)
        try {
          await use({ user: 'deploy', flags }, async (machine) => {
            const result = await machine.run('echo "$0 it\'s !fine"; id -u')
            expect(result.stdout).toBe("/bin/sh it's !fine\n0\n")
          })
        } finally {
          await admin.run('usermod -s /bin/bash deploy')
        }
      })
    },
  )

  it('tells a full disk by path and free space, and leaves nothing there', async () => {
    await use({ user: 'root', flags }, async (machine) => {
      await machine.run('mkdir -p /mnt/small && mount -t tmpfs -o size=4m tmpfs /mnt/small')
      try {
        const content = Buffer.alloc(12 << 20)
        const put = machine.put({
          path: '/mnt/small/file',
          open: () => Readable.from([content.subarray(0, 6 << 20), content.subarray(6 << 20)]),
          sizeBytes: content.length,
          sha256: createHash('sha256').update(content).digest('hex'),
          mode: '0600',
        })
        await expect(put).rejects.toMatchObject({
          code: 'E_DISK_FULL',
          message: expect.stringMatching(
            /no room for \/mnt\/small\/file \(12 MiB\) on \/mnt\/small, of which \d+ MiB are free/,
          ),
        })
        expect((await machine.run('ls -A /mnt/small')).stdout).toBe('')
        await machine.run('mount -o remount,ro /mnt/small')
        const small = {
          path: '/mnt/small/x',
          open: () => Readable.from(['x']),
          sizeBytes: 1,
          sha256: createHash('sha256').update('x').digest('hex'),
          mode: '0600',
        }
        await expect(machine.put(small)).rejects.toMatchObject({
          code: 'E_READ_ONLY',
          message: expect.stringContaining('/mnt/small/x'),
        })
      } finally {
        await machine.run('umount /mnt/small; rmdir /mnt/small')
      }
    })
  })
})

describe.skipIf(labMissing())('known hosts of the lab', () => {
  it('are those that the test trusted from the start', async () => {
    expect(readFileSync(machines.knownHosts, 'utf8')).toContain(address())
    const output = await lab('list')
    expect(output).toContain(NAME)
  })
})
