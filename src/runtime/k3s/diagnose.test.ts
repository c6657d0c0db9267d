import { execFileSync } from 'node:child_process'
import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { SHELLS } from '../../machine/shells.fixture.js'
import { beforeScript, explainLog, fatalScript } from './diagnose.js'

// Lines as k3s, its kubelet, containerd and etcd write them.

const JOIN = 'time="2026-11-21T10:00:00Z" level=error msg='
const CAUSES: readonly (readonly [string, string, RegExp, RegExp])[] = [
  [
    `${JOIN}"failed to validate connection to cluster at https://10.0.0.1:6443: not authorized"\n`.repeat(3),
    'E_JOIN',
    /refuses the token/,
    /airlift reset/,
  ],
  [
    'level=fatal msg="bootstrap data already found and encrypted with different token"',
    'E_JOIN',
    /another token/,
    /--set token/,
  ],
  [
    'E1121 10:00:00.000000  12 server.go:310] "Failed to run kubelet" err="failed to create kubelet: inotify_init: too many open files"',
    'E_START',
    /inotify/,
    /max_user_instances/,
  ],
  [
    'level=fatal msg="containerd: failed to create CRI service: failed to create cni conf monitor for default: failed to create fsnotify watcher: too many open files"',
    'E_START',
    /inotify/,
    /max_user_instances/,
  ],
  [
    'E1121 10:00:00.000000  12 kubelet.go:1511] "Failed to start cAdvisor" err="inotify_add_watch /sys/fs/cgroup/cpuset/kubepods: no space left on device"',
    'E_START',
    /inotify/,
    /max_user_watches/,
  ],
  [
    'level=fatal msg="failed to write /var/lib/rancher/k3s/server/cred/passwd: write: no space left on device"',
    'E_DISK_FULL',
    /disk is full/,
    /\/var\/lib\/rancher\/k3s/,
  ],
  ['level=error msg="kine: database or disk is full (13)"', 'E_DISK_FULL', /disk is full/, /free some space/],
  [
    'level=error msg="Shutdown request received: \\"kubelet exited: initialize logging: the logging configuration should not be changed after setting it once (- old setting, + new setting):\\\\n- Verbosity: 0,\\\\n+ Verbosity: 2\\""',
    'E_START',
    /log in another way/,
    /--set v=2/,
  ],
  ['level=fatal msg="failed to find cpuset cgroup (v2)"', 'E_START', /controller .* missing/, /runs as root/],
  [
    'level=fatal msg="failed to find memory cgroup, you may need to add \\"cgroup_memory=1 cgroup_enable=memory\\" to your linux cmdline (/boot/cmdline.txt on a Raspberry Pi)"',
    'E_START',
    /controller .* missing/,
    /cgroup_enable=memory/,
  ],
  [
    'E1121 10:00:00.000000  12 server.go:280] "Failed to run kubelet" err="kubelet is configured to not run on a host using cgroup v1. cgroup v1 support is unsupported and will be removed in a future release"',
    'E_START',
    /refuses the control groups/,
    /fail-cgroupv1=false/,
  ],
  [
    'level=fatal msg="starting kubernetes: preparing server: listen tcp :6443: bind: address already in use"',
    'E_START',
    /port .* taken/,
    /ss -lntp/,
  ],
  [
    'E0721 09:00:38.387724  20938 server.go:288] "Failed to run kubelet" err="failed to run Kubelet: failed to create kubelet: open /dev/kmsg: no such file or directory"',
    'E_START',
    /privileges/,
    /privileged, as root/,
  ],
  [
    'level=fatal msg="failed to evacuate root cgroup: mkdir /sys/fs/cgroup/init: read-only file system"',
    'E_START',
    /privileges/,
    /privileged, as root/,
  ],
  [
    'level=error msg="Waiting to retrieve agent configuration; server is not ready: \\"overlayfs\\" snapshotter cannot be enabled for \\"/var/lib/rancher/k3s/agent/containerd\\", try using \\"fuse-overlayfs\\" or \\"native\\": failed to mount overlay: invalid argument"',
    'E_START',
    /file system/,
    /snapshotter=native/,
  ],
  [
    `${JOIN}"failed to get CA certs: Get \\"https://10.0.0.1:6443/cacerts\\": proxyconnect tcp: dial tcp 10.9.9.9:3128: connect: connection refused"\n`.repeat(
      3,
    ),
    'E_JOIN',
    /proxy/,
    /NO_PROXY/,
  ],
]

/** What a k3s that is well says while it starts. */
const HARMLESS = [
  'level=info msg="Waiting to retrieve agent configuration; server is not ready: CA cert validation failed"',
  'level=error msg="failed to get CA certs: Get \\"https://127.0.0.1:6444/cacerts\\": read tcp: connection reset by peer"',
  'E1121 10:00:00 12 log.go:32] "PullImage from image service failed" err="proxyconnect tcp: dial tcp 10.9.9.9:3128: refused"',
  'level=warning msg="Failed to set sysctl: open /proc/sys/net/netfilter/nf_conntrack_max: permission denied"',
  'level=info msg="Module overlay was already loaded"',
  `${JOIN}"not authorized"`,
].join('\n')

describe('a log that tells of what will never heal', () => {
  it.each(CAUSES)('is explained: %s', (log, code, message, hint) => {
    const found = explainLog(`${HARMLESS}\n${log}\n${HARMLESS.replace('not authorized', '')}`)
    expect(found).toMatchObject({
      code,
      message: expect.stringMatching(message),
      hint: expect.stringMatching(hint),
    })
  })

  it('is not seen in what a k3s that is well says', () => {
    expect(explainLog(HARMLESS)).toBeUndefined()
    expect(explainLog('')).toBeUndefined()
  })
})

describe('the script that looks for it on a machine', () => {
  let dir = ''
  beforeAll(() => {
    dir = mkdtempSync(join(tmpdir(), 'diagnose-'))
  })
  afterAll(() => rmSync(dir, { recursive: true, force: true }))

  /** Runs it as on a machine without systemd whose log is this. */
  function judge(log: string): string {
    writeFileSync(join(dir, 'k3s.log'), `${log}\n`)
    const script = fatalScript('k3s')
      .replaceAll('/var/log/k3s.log', join(dir, 'k3s.log'))
      .replaceAll('/run/systemd/system', join(dir, 'no-systemd'))
    return execFileSync('sh', ['-c', `${script}\nfatal || echo fine`], { encoding: 'utf8' })
  }

  it('comes to the same judgement', () => {
    for (const [log, code, message, hint] of CAUSES) {
      const said = runFailing(() => judge(`${HARMLESS}\n${log}`))
      expect(said).toMatch(new RegExp(`^@@fail ${code} .*${message.source}`, 'm'))
      expect(said).toMatch(new RegExp(`^@@hint .*${hint.source}`, 'm'))
      expect(said).toContain('@@log ')
    }
    expect(judge(HARMLESS)).toBe('fine\n')
  })
})

describe.each(SHELLS)('the script on a host with OpenRC, under %s', (shell, ...args) => {
  const TAKEN = 'level=fatal msg="listen tcp :6443: bind: address already in use"\n'
  let dir = ''
  beforeAll(() => {
    dir = mkdtempSync(join(tmpdir(), 'diagnose-openrc-'))
    writeFileSync(join(dir, 'init'), '', { mode: 0o755 })
  })
  afterAll(() => rmSync(dir, { recursive: true, force: true }))

  const sh = (script: string): string =>
    execFileSync(
      shell,
      [
        ...args,
        '-c',
        `set -u\n${script}`
          .replaceAll('/run/systemd/system', join(dir, 'no-systemd'))
          .replaceAll('/etc/init.d/k3s', join(dir, 'init'))
          .replaceAll('/run/openrc/options/k3s/start_count', join(dir, 'count'))
          .replaceAll('/var/log/k3s.log', join(dir, 'k3s.log')),
      ],
      { encoding: 'utf8' },
    )
  const write = (log: string, starts: number): void => {
    writeFileSync(join(dir, 'k3s.log'), log)
    writeFileSync(join(dir, 'count'), `${starts}\n`)
  }
  const judge = (before: string): string =>
    sh(`before='${before}'\n${fatalScript('k3s')}\nfatal || echo fine`)

  it('judges only what was logged since the wait began', () => {
    write(TAKEN, 9)
    const before = sh(beforeScript('k3s')).trim()
    expect(before).toBe(`${TAKEN.length} 9`)
    expect(judge(before)).toBe('fine\n')
    appendFileSync(join(dir, 'k3s.log'), TAKEN)
    expect(runFailing(() => judge(before))).toContain('a port that k3s needs is taken')
  })

  it('knows a log that was rotated or begun anew', () => {
    write(TAKEN, 0)
    expect(runFailing(() => judge('4000 0'))).toContain('a port that k3s needs is taken')
  })

  it('counts the starts since the wait began, and tells the last words, or the last lines where there are none', () => {
    write('level=error msg="of old"\n', 9)
    expect(judge('0 5')).toBe('fine\n')
    const said = runFailing(() => judge('0 4'))
    expect(said).toContain('@@fail E_START k3s has ended 5 times since it was started')
    expect(said).toContain(`@@hint its last words are below; the whole log: ${join(dir, 'k3s.log')}`)
    expect(said).toContain('@@log level=error msg="of old"')
    write('Traceback\nValueError: port\n', 5)
    expect(runFailing(() => judge('0 '))).toContain('@@log Traceback\n@@log ValueError: port\n')
  })
})

/** Standard output of a script that ends with the status of a cause. */
function runFailing(run: () => string): string {
  try {
    return run()
  } catch (error) {
    const { status, stdout } = error as { status: number; stdout: string }
    expect(status).toBe(11)
    return stdout
  }
}
