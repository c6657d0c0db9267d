import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import type { Facts } from './facts.js'
import { parseFacts } from './parse-facts.js'

const asked = { files: ['/etc/hostname', '/nonexist', '/usr/bin/env'], units: ['ssh', 'k3s.service'] }

/** An answer that was recorded on a lab machine: see the comment at each test. */
function recorded(name: string): string {
  return readFileSync(new URL(`./golden/${name}.probe.txt`, import.meta.url), 'utf8')
}

function parse(name: string): Facts {
  return parseFacts(recorded(name), asked, { before: 0, after: 0 })
}

/** An answer made by hand. */
function answer(lines: readonly string[], blocks: Readonly<Record<string, string>> = {}): string {
  const text = Object.entries(blocks).flatMap(([name, content]) => [`<${name}\tfence`, content, '>fence'])
  return [...lines, ...text, 'end\tok', ''].join('\n')
}

function parseLines(lines: readonly string[], blocks: Readonly<Record<string, string>> = {}): Facts {
  return parseFacts(answer(lines, blocks), asked, { before: 0, after: 0 })
}

describe('facts of recorded machines', () => {
  it('reads a Debian host with systemd', () => {
    const facts = parse('debian-systemd')
    expect(facts).toMatchObject({
      hostname: 'facts-2',
      os: { id: 'debian', versionId: '12', name: 'Debian GNU/Linux 12 (bookworm)' },
      unameArch: 'x86_64',
      bits: 64,
      init: 'systemd',
      libc: 'glibc',
      virtualization: 'docker',
      cpus: 2,
      memoryBytes: 25276510208,
      cgroups: { version: 1 },
      defaultRoute: { device: 'eth0' },
      addresses: [{ device: 'eth0', address: '10.77.31.12', prefix: 24 }],
      routes: [{ destination: '10.77.31.0/24', device: 'eth0' }],
      routeSource: { to: '10.77.31.11', address: '10.77.31.12', device: 'eth0' },
      resolv: { path: '/etc/resolv.conf', nameservers: ['10.77.31.1'], search: [] },
      iptables: { version: '1.8.9', mode: 'nft' },
      timeSynchronized: false,
      leftovers: [],
    })
    expect(facts.machineId).toMatch(/^[0-9a-f]{32}$/)
    expect(facts.cgroups.controllers).toEqual(expect.arrayContaining(['cpu', 'cpuset', 'memory', 'pids']))
    expect(facts.listeners).toContainEqual({ protocol: 'tcp', address: '0.0.0.0', port: 22, process: 'sshd' })
    expect(facts.filesystems.map((fs) => [fs.path, fs.mountPoint, fs.writable])).toContainEqual([
      '/tmp',
      '/tmp',
      true,
    ])
    expect(facts.filesystems.find((fs) => fs.path === '/usr/local/bin')?.type).toBe('overlay')
    expect(facts.managed.units).toEqual([
      { unit: 'ssh', loaded: true, enabled: true, active: 'active', sub: 'running', restarts: 0 },
      { unit: 'k3s.service', loaded: false, enabled: false, active: 'inactive', sub: 'dead', restarts: 0 },
    ])
    expect(facts.managed.files.map(({ path, mode }) => [path, mode])).toEqual([
      ['/etc/hostname', '0644'],
      ['/usr/bin/env', '0755'],
    ])
    expect(facts.managed.files[0]?.sha256).toMatch(/^[0-9a-f]{64}$/)
    expect(facts.managed.fragments).toEqual({ greeting: 'a\tb\nno newline' })
  })

  it('reads a host with OpenRC', () => {
    const facts = parse('openrc')
    expect(facts.init).toBe('openrc')
    expect(facts.tools['rc-service']).toBe(true)
    expect(facts.managed.units).toEqual([
      { unit: 'ssh', loaded: true, enabled: true, active: 'active' },
      { unit: 'k3s.service', loaded: false, enabled: false, active: 'inactive' },
    ])
  })

  it('reads the same of a host without ip, ss, base64, getconf, timeout and systemctl, from /proc', () => {
    const full = parse('debian-systemd')
    const facts = parse('minimal')
    for (const key of [
      'hostname',
      'machineId',
      'os',
      'kernel',
      'unameArch',
      'bits',
      'cpus',
      'cgroups',
      'addresses',
      'routes',
      'modules',
      'sysctls',
      'resolv',
    ] as const)
      expect(facts[key], key).toEqual(full[key])
    expect(facts.defaultRoute).toEqual({ device: 'eth0' })
    expect(facts.listeners.map(({ protocol, port }) => `${port}/${protocol}`)).toContain('22/tcp')
    expect(facts.filesystems.every((fs) => fs.writable)).toBe(true)
    expect(facts.tools).toMatchObject({ ip: false, ss: false, base64: false, systemctl: false })
    expect(facts.routeSource).toBeUndefined()
    expect(facts.managed.fragments).toEqual({ greeting: 'a\tb\nno newline' })
  })
})

describe('clock', () => {
  it('takes half of the time that was not the probe’s own as the way there', () => {
    // 400 ms in all, of which the probe ran 300: 50 ms there. The machine is an hour ahead.
    const facts = parseFacts(
      answer(['clock\t1700003600050000000', 'clockEnd\t1700003600350000000']),
      {},
      { before: 1_700_000_000_000, after: 1_700_000_000_400 },
    )
    expect(facts.clockSkewMs).toBe(3_600_000)
    expect(facts.clockErrorMs).toBe(50)
  })

  it('is less sure where date knows whole seconds only', () => {
    const facts = parseFacts(
      answer(['clock\t1700000000%N', 'clockEnd\t1700000000%N']),
      {},
      { before: 1_700_000_000_000, after: 1_700_000_000_400 },
    )
    expect(Math.abs(facts.clockSkewMs)).toBeLessThanOrEqual(facts.clockErrorMs)
    expect(facts.clockErrorMs).toBeGreaterThanOrEqual(500)
  })

  it('is endlessly unsure where there is no clock', () => {
    expect(parseLines([]).clockErrorMs).toBe(Number.POSITIVE_INFINITY)
  })
})

describe('details', () => {
  it('skips a banner, and tells a cut answer by its missing end', () => {
    expect(
      parseFacts(`Welcome!\n\tUnauthorised\n${answer(['hostname\tbox'])}`, {}, { before: 0, after: 0 })
        .hostname,
    ).toBe('box')
    expect(() => parseFacts('hostname\tbox\n<record\tfence\nAAAA', {}, { before: 0, after: 0 })).toThrow(
      /ends early/,
    )
  })

  it('never puts what a fragment printed into the error of a cut answer', () => {
    const cut = answer([], { 'fragment.token': 'K10secret' }).replace('end\tok\n', '')
    expect(() => parseFacts(cut, {}, { before: 0, after: 0 })).toThrow(
      expect.not.objectContaining({ message: expect.stringContaining('K10') }),
    )
  })

  it('does not take a file’s text for facts', () => {
    const facts = parseLines(['hostname\tbox'], { record: '{"name":"x"}\nhostname\tevil\nend\tok\n' })
    expect(facts.hostname).toBe('box')
  })

  it('knows cgroup v2, v1 and hosts without', () => {
    const v2 = parseLines(['unified\t/sys/fs/cgroup cpuset cpu io memory pids'], {
      mounts: 'cgroup2 /sys/fs/cgroup cgroup2 rw 0 0\n',
    })
    expect(v2.cgroups).toEqual({ version: 2, controllers: ['cpuset', 'cpu', 'io', 'memory', 'pids'] })
    const none = parseLines([], { mounts: 'tmpfs /sys/fs/cgroup tmpfs rw 0 0\n' })
    expect(none.cgroups).toEqual({ version: 0, controllers: [] })
    const v1 = parseLines([], {
      mounts:
        'tmpfs /sys/fs/cgroup tmpfs ro 0 0\ncgroup /sys/fs/cgroup/cpu,cpuacct cgroup rw,nosuid,cpu,cpuacct 0 0\n',
      cgroups:
        '#subsys_name\thierarchy\tnum_cgroups\tenabled\ncpu\t1\t2\t1\ncpuacct\t1\t2\t1\nmemory\t0\t1\t0\n',
    })
    expect(v1.cgroups).toEqual({ version: 1, controllers: ['cpu', 'cpuacct'] })
  })

  it('takes the memory limit of a container', () => {
    const meminfo = 'MemTotal:       8000000 kB\nMemAvailable:   4000000 kB\nSwapTotal:      1000 kB\n'
    const limited = parseLines(['memoryLimit\t1073741824'], { meminfo })
    expect([limited.memoryBytes, limited.swapBytes]).toEqual([1_073_741_824, 1_024_000])
    expect(parseLines(['memoryLimit\tmax'], { meminfo }).memoryBytes).toBe(8_192_000_000)
  })

  it('leaves out IPv6 addresses that are not usable, and finds an IPv6 default route', () => {
    const facts = parseLines([], {
      ipAddr:
        '2: eth0    inet6 2001:db8::5/64 scope global \\  valid\n' +
        '2: eth0    inet6 2001:db8::6/64 scope global tentative \\  valid\n' +
        '2: eth0    inet6 2001:db8::7/64 scope global temporary dynamic \\  valid\n' +
        '2: eth0    inet6 2001:db8::8/64 scope global deprecated mngtmpaddr \\  valid\n' +
        '2: eth0    inet6 fe80::1/64 scope link \\  valid\n' +
        '1: lo    inet 127.0.0.1/8 scope host lo\\  valid\n',
      ipRoute: '',
      ipRoute6: '2001:db8::/64 dev eth0 proto kernel\ndefault via fe80::99 dev eth0 metric 1024\n',
    })
    expect(facts.addresses).toEqual([
      { device: 'eth0', address: '2001:db8::5', prefix: 64 },
      { device: 'eth0', address: '2001:db8::7', prefix: 64, temporary: true },
      { device: 'eth0', address: '2001:db8::8', prefix: 64, temporary: true },
    ])
    expect(facts.defaultRoute).toEqual({ device: 'eth0' })
  })

  it('finds a default route with several next hops, and networks behind such', () => {
    const many = (network: string, ...gateways: string[]): string =>
      [
        `${network} proto static `,
        ...gateways.map((via, at) => `\tnexthop via ${via} dev eth${at} weight 1 `),
      ].join('\n')
    const four = parseLines([], {
      ipRoute: `${many('default', '10.0.0.1', '10.1.0.1')}\n${many('10.9.0.0/16', '10.0.0.2', '10.1.0.2')}\n10.0.0.0/24 dev eth0 proto kernel`,
    })
    expect(four.defaultRoute).toEqual({ device: 'eth0' })
    expect(four.routes).toEqual([
      { destination: '10.9.0.0/16', device: 'eth0' },
      { destination: '10.0.0.0/24', device: 'eth0' },
    ])
    const six = parseLines([], { ipRoute: '', ipRoute6: many('default', 'fe80::1', 'fe80::2') })
    expect(six.defaultRoute).toEqual({ device: 'eth0' })
  })

  it('knows how long the packets of each device may be, and says nothing where there is no /sys', () => {
    const mtus = '/sys/class/net/eth0/mtu:9000\n/sys/class/net/lo/mtu:65536'
    expect(parseLines([], { mtus }).mtus).toEqual({ eth0: 9000, lo: 65536 })
    expect(parseLines([], { mtus: '' })).not.toHaveProperty('mtus')
  })

  it('knows a blob by its hard link', () => {
    const sha = 'a'.repeat(64)
    const facts = parseLines([`file\t0\t77\t-rwxr-xr-x\t70000000\t${sha}`], {
      blobs: `total 4\n77 -rw-r--r-- 2 0 0 70000000 Jan  1 00:00 ${sha}\n78 -rw-r--r-- 1 0 0 5 Jan  1 00:00 .${sha}.part\n`,
    })
    expect(facts.managed.blobs).toEqual([{ sha256: sha, sizeBytes: 70_000_000 }])
    expect(facts.managed.files[0]).toMatchObject({
      path: '/etc/hostname',
      blob: sha,
      sha256: sha,
      mode: '0755',
    })
  })

  it('reads old, legacy and new iptables', () => {
    expect(parseLines(['iptables\tiptables v1.6.1']).iptables).toEqual({ version: '1.6.1', mode: 'legacy' })
    expect(parseLines(['iptables\tiptables v1.8.4 (nf_tables)']).iptables).toEqual({
      version: '1.8.4',
      mode: 'nft',
    })
    expect(parseLines(['iptables\tiptables v1.8.7 (legacy)']).iptables).toEqual({
      version: '1.8.7',
      mode: 'legacy',
    })
    expect(parseLines(['iptables\t']).iptables).toBeUndefined()
  })

  it('leaves out a record that is damaged', () => {
    expect(parseLines([], { record: '{"name":' }).managed.record).toBeUndefined()
    expect(parseLines([], { record: '[1]' }).managed.record).toBeUndefined()
    expect(parseLines([], { record: '{"name":"prod"}' }).managed.record).toEqual({ name: 'prod' })
  })
})
