import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { writeRecord } from '../cluster/record.js'
import { plainSsh } from '../cluster/ssh.fixture.js'
import { copyPaths } from './actions/copy.js'
import { main } from './main.js'

const home = mkdtempSync(join(tmpdir(), 'airlift-cli-'))
afterAll(() => rmSync(home, { recursive: true, force: true }))

interface Ran {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

async function airlift(...argv: string[]): Promise<Ran> {
  const out: string[] = []
  const err: string[] = []
  const code = await main(argv, {
    env: {
      HOME: home,
      XDG_STATE_HOME: join(home, 'state'),
      NO_COLOR: '1',
      DOCKER_HOST: `unix://${home}/no-engine.sock`,
    },
    stdin: { isTTY: false },
    stdout: { write: (text) => out.push(text) },
    stderr: { write: (text) => err.push(text) },
  })
  return { code, stdout: out.join(''), stderr: err.join('') }
}

describe('a wrong command line is exit 2 with one clear error', () => {
  it.each([
    [['rn'], "error: unknown command 'rn' (Did you mean run?)", 'see: airlift --help'],
    [
      ['run', '--mastrs', 'x'],
      "error: unknown option '--mastrs' (Did you mean --masters?)",
      'see: airlift run --help',
    ],
    [['plan', 'rn'], "error: unknown command 'rn' (Did you mean run?)", 'see: airlift plan --help'],
    [['plan'], 'error: "plan" needs a subcommand', 'see: airlift plan --help'],
    [['ports', '--name', 'a'], 'error: "ports" needs a subcommand', 'see: airlift ports --help'],
    [['image', 'import', '--bad', 'x'], "error: unknown option '--bad'", 'see: airlift image import --help'],
    [['copy', 'only-one'], "error: missing required argument 'target'", 'see: airlift copy --help'],
    [
      ['list', 'more'],
      "error: too many arguments for 'list'. Expected 0 arguments but got 1.",
      'see: airlift list --help',
    ],
    [['list', '-o', 'xml'], 'error: --output takes text or json, not "xml"', 'see: airlift list --help'],
    [
      ['run', '--concurrency', '0'],
      'error: --concurrency takes a number from 1 to 1000, not "0"',
      'see: airlift run --help',
    ],
    [
      ['run'],
      'error: --masters: no master is named',
      'give --masters root@10.0.0.1, --masters local for this computer, or --masters 1 for a container on it',
    ],
    [
      ['run', '--masters', '10.0.0.1'],
      'error: no rootfs is given',
      'build one with airlift rootfs build, then give --rootfs k3s.airlift; or name a release: --version stable',
    ],
    [['exec', '--', ' '], 'error: the command is empty', 'see: airlift exec --help'],
    [
      ['kubeconfig', '--kubeconfig', 'f'],
      'error: --kubeconfig f needs --merge; without it the kubeconfig goes to stdout',
      'see: airlift kubeconfig --help',
    ],
    [
      ['stop', '--all', '--name', 'default'],
      'error: --all and --name name two things',
      'see: airlift stop --help',
    ],
    [
      ['run', '--masters', '1', '--runtime', 'k0s'],
      'error: this version of airlift has no runtime "k0s"',
      'k0s is not built yet: leave --runtime out',
    ],
    [
      ['kubeconfig', '--merge', '--kubeconfig', 'none'],
      'error: --kubeconfig none leaves all files alone: leave --merge out, and it is printed',
      'see: airlift kubeconfig --help',
    ],
    [
      ['exec', '--masters', '10.0.0.1', '--nodes', '--', 'true'],
      'error: --masters and --nodes: give a list to both, or to neither',
      'see: airlift exec --help',
    ],
  ])('%j', async (argv, message, hint) => {
    expect(await airlift(...argv)).toEqual({ code: 2, stdout: '', stderr: `${message}\nhint: ${hint}\n` })
  })

  it.each([
    ['--image', 'rancher/k3s'],
    ['-p', '80:80'],
    ['--port', '80:80@loadbalancer'],
    ['--volume', '/a:/b'],
    ['--env', 'A=b'],
    ['--k3s-arg', '--disable=traefik@masters:*'],
    ['--api-port', '6550'],
    ['--network', 'net'],
    ['--subnet', '172.28.0.0/16'],
    ['--no-lb'],
    ['--memory', '2g'],
    ['--cpus', '2'],
    ['--gpus', 'all'],
    ['--host-alias', '1.2.3.4:a'],
    ['--dns', '10.0.0.53'],
    ['--ulimit', 'nofile=1:1'],
    ['--file', 'a:/b'],
    ['--ingress'],
    ['--runtime-label', 'a=b'],
    ['--ca', 'corporate.pem'],
    ['--keep'],
  ])('refuses the flag of containers %s on hosts', async (...flag) => {
    const ran = await airlift('run', '--masters', '10.0.0.1', ...flag)
    const name = flag[0] === '-p' ? '--port' : flag[0]
    expect(ran.stderr).toBe(
      `error: ${[name, ...flag.slice(1)].join(' ')} is for containers, and these machines are hosts\nhint: leave it out\n`,
    )
    expect(ran.code).toBe(2)
  })
})

describe('containers', () => {
  it.each([
    ['--user', 'root'],
    ['--ssh-port', '22'],
    ['--identity', 'id'],
    ['--jump', 'bastion'],
    ['--sudo'],
    ['--host-keys', 'off'],
    ['--known-hosts', 'file'],
    ['--transport', 'openssh'],
    ['--ssh-config', 'file'],
    ['--ask-pass'],
    ['--ask-sudo-pass'],
  ])('refuse the flag of hosts %s', async (...flag) => {
    const ran = await airlift('run', '--masters', '1', ...flag)
    expect(ran.stderr).toBe(
      `error: ${flag.join(' ')} is for hosts, and these machines are containers\nhint: leave it out\n`,
    )
    expect(ran.code).toBe(2)
  })

  it('tell everything that is wrong with their flags at once', async () => {
    const ran = await airlift(
      'run',
      '--masters',
      '1',
      '--memory',
      '2x',
      '-p',
      '80:80@worker:7',
      '--cpus',
      '500m',
    )
    expect(ran.code).toBe(2)
    expect(ran.stderr).toContain('--memory: "2x" is not an amount of memory')
    expect(ran.stderr).toContain('--port: the filter "worker:7" matches nothing at 7, in "80:80@worker:7"')
    expect(ran.stderr).toContain('--cpus: "500m" is not a number of processors (write --cpus 0.5)')
  })

  it('have a group of their own in the help of run, and none in that of reset', async () => {
    const { stdout } = await airlift('run', '--help')
    const group = stdout.slice(stdout.indexOf('Containers:'), stdout.indexOf('SSH:'))
    for (const flag of ['-p, --port', '--volume', '--k3s-arg', '--no-lb', '--ca', '--keep'])
      expect(group).toContain(flag)
    expect((await airlift('reset', '--help')).stdout).not.toContain('--volume')
  })
})

describe('copyPaths', () => {
  const none = {}
  it.each([
    [none, ['a', '/b'], { source: 'a', target: '/b', flags: none }],
    [{ nodes: 'a' }, ['/b'], { source: 'a', target: '/b', flags: { nodes: true } }],
    [{ masters: '/b' }, ['a'], { source: 'a', target: '/b', flags: { masters: true } }],
    [{ nodes: '10.0.0.1' }, ['a', '/b'], { source: 'a', target: '/b', flags: { nodes: '10.0.0.1' } }],
  ])('of %j %j', (flags, words, expected) => expect(copyPaths(flags, words)).toEqual(expected))
  it.each([
    [none, ['a'], "missing required argument 'target'"],
    [{ nodes: 'a', masters: 'b' }, ['/b'], "missing required argument 'target'"],
    [{ nodes: '/a' }, ['/b'], '--nodes took "/a" for hosts; write the flag last: copy SOURCE TARGET --nodes'],
  ])('refuses %j %j', (flags, words, message) => expect(() => copyPaths(flags, words)).toThrow(message))
})

describe('with -o json stdout is one document', () => {
  it('also for an error of the command line', async () => {
    const ran = await airlift('run', '-o', 'json', '--mastrs', 'x')
    expect(JSON.parse(ran.stdout)).toEqual({
      error: {
        code: 'E_USAGE',
        message: "unknown option '--mastrs' (Did you mean --masters?)",
        hint: 'see: airlift run --help',
        machine: null,
      },
    })
    expect(ran.stderr).toMatch(/^error: unknown option/)
  })
  it.each([
    [['status', '-qo', 'json', '--name', 'ghost']],
    [['status', '-vojson', '--name', 'ghost']],
    [['status', '-qo', 'json', '--bad']],
    [['logs', '-o', 'json', '--output', 'x', '--name', 'ghost']],
  ])('however the flag is written: %j', async (argv) => {
    expect(JSON.parse((await airlift(...argv)).stdout)).toMatchObject({ error: { code: expect.any(String) } })
  })
  it.each([
    [['logs', '--output', 'json', '--name', 'ghost']],
    [['logs', '--output', 'json', '--bad']],
    [['rootfs', 'build', '--bad', '--output', 'json']],
  ])('and none where --output names a file: %j', async (argv) => {
    expect((await airlift(...argv)).stdout).toBe('')
  })
  it('also when there is no such cluster (exit 6)', async () => {
    for (const argv of [
      ['status'],
      ['kubeconfig'],
      ['reset', '--yes'],
      ['plan', 'reset'],
      ['copy', import.meta.filename, '/x'],
    ]) {
      const ran = await airlift(...argv, '--name', 'ghost', '--output=json')
      expect(JSON.parse(ran.stdout)).toMatchObject({
        error: { code: 'E_NO_CLUSTER', message: expect.stringContaining('ghost') },
      })
      expect(ran.code).toBe(6)
    }
  })
  it('which a terminal cannot share', async () => {
    const ran = await airlift('exec', '-it', '-o', 'json', '--', 'sh')
    expect(JSON.parse(ran.stdout)).toMatchObject({ error: { code: 'E_USAGE' } })
    expect(ran.stderr).toMatch(/^error: -i and -t cannot be combined with -o json\n/)
    expect(ran.code).toBe(2)
  })
  it('does not take the words after -- for its own flags', async () => {
    const ran = await airlift('exec', '--name', 'ghost', '--', 'kubectl', '-o', 'json')
    expect(ran.stdout).toBe('')
    expect(ran.code).toBe(6)
  })
  it('tells with --events what went wrong as an event', async () => {
    const ran = await airlift('status', '--name', 'ghost', '--events')
    const events = ran.stderr
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as object)
    expect(events.at(-1)).toMatchObject({
      level: 'error',
      code: 'error',
      data: { errorCode: 'E_NO_CLUSTER', exit: 6 },
    })
  })
})

describe('list', () => {
  it('is empty at first', async () => {
    expect(JSON.parse((await airlift('list', '-o', 'json')).stdout)).toEqual({ clusters: [] })
    const { code, stdout, stderr } = await airlift('list')
    expect([code, stdout]).toEqual([0, ''])
    expect(stderr).toContain('no cluster is known on this computer; create one with airlift run\n')
    // An engine that was named and does not answer may have some.
    expect(stderr).toContain('containers are not looked at: the engine of DOCKER_HOST=unix://')
  })
  it('shows what this computer remembers, and skips what it cannot read', async () => {
    const env = { HOME: home, XDG_STATE_HOME: join(home, 'state') }
    const record = {
      runtime: 'k3s',
      version: 'v1.33.1+k3s1',
      ssh: plainSsh,
      updated: '2026-11-21T00:00:00Z',
    } as const
    await writeRecord(
      { ...record, name: 'prod', masters: ['10.0.0.1'], nodes: ['10.0.0.2', '10.0.0.3'] },
      env,
    )
    await writeRecord({ ...record, name: 'dev', masters: ['local'], nodes: [] }, env)
    writeFileSync(join(home, 'state/airlift/clusters/broken.json'), '{')
    expect(JSON.parse((await airlift('list', '-o', 'json')).stdout)).toEqual({
      clusters: [
        { name: 'dev', runtime: 'k3s', version: 'v1.33.1+k3s1', masters: 1, workers: 0 },
        { name: 'prod', runtime: 'k3s', version: 'v1.33.1+k3s1', masters: 1, workers: 2 },
      ],
    })
    expect((await airlift('list')).stdout).toBe(
      [
        'NAME  RUNTIME  VERSION       MASTERS  WORKERS',
        'dev   k3s      v1.33.1+k3s1  1        0',
        'prod  k3s      v1.33.1+k3s1  1        2',
        '',
      ].join('\n'),
    )
  })
})

describe('help', () => {
  it('groups the commands, and is exit 0 with and without --help', async () => {
    const help = await airlift('--help')
    expect(help).toMatchObject({ code: 0, stderr: '' })
    expect(help.stdout).toMatch(/Clusters:\n {2}run [\s\S]*Machines:\n[\s\S]*Other:\n/)
    expect((await airlift()).stdout).toBe(help.stdout)
  })
  it.each([
    ['run'],
    ['plan'],
    ['plan', 'run'],
    ['plan', 'reset'],
    ['reset'],
    ['status'],
    ['list'],
    ['kubeconfig'],
    ['exec'],
    ['copy'],
    ['doctor'],
    ['rootfs', 'build'],
    ['completion'],
    ['version'],
  ])('of %s %s has two examples at least', async (...command) => {
    const { stdout, code } = await airlift(...command, '--help')
    const examples = stdout.slice(stdout.indexOf('Examples:')).match(/^ {2}airlift /gm)
    expect(examples?.length).toBeGreaterThanOrEqual(2)
    expect(stdout).not.toMatch(/\(default(: |\s)?(false|\[\])/)
    expect(code).toBe(0)
  })
})
