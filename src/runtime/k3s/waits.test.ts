import { spawnSync } from 'node:child_process'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { ClusterSpec } from '../../cluster/spec.js'
import { SHELLS } from '../../machine/shells.fixture.js'
import { K3S } from './paths.js'
import { checkImages, packagedDeployments, waitSystem } from './waits.js'

let dir = ''
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'airlift-waits-'))
})
afterAll(() => rmSync(dir, { recursive: true, force: true }))

/** Asks once, of a k3s that prints these images, or that does not answer. */
function ask(shell: readonly string[], images: readonly string[] | undefined) {
  const k3s = join(dir, 'k3s')
  const answer = images ? `printf '%s\\n' ${images.join(' ')}` : 'exit 1'
  writeFileSync(k3s, `#!/bin/sh\n${answer}\n`)
  chmodSync(k3s, 0o755)
  const [program = '', ...rest] = shell
  const { script } = checkImages(['r.local/a:1', 'r.local/b:2'], 'k3s-agent', 1000)
  const { status, stdout } = spawnSync(
    program,
    [...rest, '-c', `n=0\n${script.replaceAll(K3S.binary, k3s)}`],
    {
      encoding: 'utf8',
    },
  )
  return { status, stdout }
}

describe.each(SHELLS.map((shell) => [shell.join(' '), shell] as const))(
  'the check of images, under %s',
  (_, shell) => {
    it('ends when every image is there, in whatever order', () => {
      expect(ask(shell, ['r.local/b:2', 'r.local/c:3', 'r.local/a:1'])).toEqual({ status: 0, stdout: '' })
    })

    it('goes on while one is missing, which it names, and while nothing answers', () => {
      expect(ask(shell, ['r.local/b:2', 'r.local/a:10'])).toEqual({
        status: 1,
        stdout: 'missing: r.local/a:1\n',
      })
      expect(ask(shell, undefined)).toEqual({ status: 1, stdout: '' })
    })
  },
)

it('tells, while images are missing, what keeps k3s from getting up', () => {
  const { script } = checkImages(['r.local/a:1'], 'k3s-agent', 1000)
  expect(script).toContain('the master refuses the token of this node')
  expect(script).toMatch(/if \[ \$\(\(n % 4\)\) = 3 \] \|\| \[ -n "\$\{late:-\}" \]; then fatal; fi\nexit 1$/)
})

describe.each(SHELLS.map((shell) => [shell.join(' '), shell] as const))(
  'the wait for the system, under %s',
  (_, shell) => {
    /** Asks once, of a kubectl that prints these lines, or that fails. */
    const look = (lines: readonly string[] | undefined, wanted?: readonly string[], before = 'n=0') => {
      const k3s = join(dir, 'k3s')
      const answer = lines?.map((line) => `echo ${line}`).join('\n') ?? 'exit 1'
      writeFileSync(k3s, `#!/bin/sh\n${answer}\n:\n`)
      chmodSync(k3s, 0o755)
      const [program = '', ...rest] = shell
      const script = waitSystem(1000, wanted).script.replaceAll(K3S.binary, k3s)
      const { status, stdout } = spawnSync(program, [...rest, '-c', `${before}\n${script}`], {
        encoding: 'utf8',
      })
      return [status, stdout.trim()]
    }

    it('is over when all that k3s brings are available, and nothing else is not', () => {
      const wanted = ['coredns', 'traefik']
      expect(look(['coredns=True', 'traefik=True'], wanted)).toEqual([0, ''])
      expect(look(['coredns=True'], wanted)).toEqual([1, 'not available: traefik'])
      expect(look(['coredns=True', 'traefik=False'], wanted)).toEqual([1, 'not available: traefik'])
      expect(look(['coredns=True', 'traefik=True', 'mine='], wanted)).toEqual([1, ''])
      expect(look(undefined, wanted)).toEqual([1, ''])
    })

    it('is over at once where everything was disabled, but not while nothing answers', () => {
      expect(look([], [])).toEqual([0, ''])
      expect(look(undefined, [])).toEqual([1, ''])
    })

    it('names a pod whose image cannot be pulled, when time is up', () => {
      const pods = ['coredns-1 1/1 Running 0 1m', 'web-2 0/1 ImagePullBackOff 0 1m']
      expect(look(pods)).toEqual([1, ''])
      const [status, told] = look(pods, undefined, 'n=5; late=yes')
      expect(status).toBe(11)
      expect(told).toMatch(
        /^@@fail E_TIMEOUT the image of the pod web-2 cannot be pulled\n@@hint .*describe pod/,
      )
    })

    it('goes on while there is none, where it is not known what was disabled', () => {
      expect(look([])).toEqual([1, ''])
      expect(look(['coredns=True'])).toEqual([0, ''])
    })
  },
)

describe('the Deployments of a new cluster', () => {
  it.each<[ClusterSpec['config'], string[]]>([
    [{}, ['coredns', 'local-path-provisioner', 'metrics-server', 'traefik']],
    [{ disable: ['traefik', 'local-storage', 'servicelb'] }, ['coredns', 'metrics-server']],
    [{ disable: 'coredns,metrics-server,local-storage,traefik' }, []],
    [{ 'disable-helm-controller': true }, ['coredns', 'local-path-provisioner', 'metrics-server']],
  ])('are, of %j', (config, names) => {
    expect(packagedDeployments({ config })).toEqual(names)
  })
})
