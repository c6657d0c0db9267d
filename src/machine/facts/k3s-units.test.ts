import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { SHELLS } from '../shells.fixture.js'
import { leftoversSection } from './probe/leftovers.js'

describe.each(SHELLS)('a service of k3s, under %s', (program, ...args) => {
  /** The service that is told where /etc has one file; without text it leads to /dev/null, as a masked one does. */
  function told(path: string, text?: string): string | undefined {
    const etc = mkdtempSync(join(tmpdir(), 'airlift-units-'))
    mkdirSync(dirname(join(etc, path)), { recursive: true })
    if (text === undefined) symlinkSync('/dev/null', join(etc, path))
    else writeFileSync(join(etc, path), text)
    const script = `set -u\n${leftoversSection.replaceAll(' /etc/', ` ${etc}/`)}`
    const { stdout, stderr } = spawnSync(program, [...args, '-c', script], { encoding: 'utf8' })
    rmSync(etc, { recursive: true })
    expect(stderr).toBe('')
    return new RegExp(`^leftover\tk3s-unit\t${etc}/(.*)$`, 'm').exec(stdout)?.[1]
  }

  it.each([
    ['systemd/system/k3s.service', 'ExecStart=/opt/start.sh\n'],
    ['systemd/system/k3s-agent.service', undefined],
    ['init.d/k3s', '#!/sbin/openrc-run\n'],
    [
      'systemd/system/k3s-east.service',
      "[Service]\nExecStart=/usr/local/bin/k3s \\\n    server \\\n\t'--tls-san' \\\n",
    ],
    [
      'init.d/k3s-edge',
      'command="/usr/local/bin/k3s"\ncommand_args="agent \\\n    >>/var/log/k3s.log 2>&1"\n',
    ],
  ])('is %s', (path, text) => {
    expect(told(path, text)).toBe(path)
  })

  it.each([
    [
      'systemd/system/k3s-backup-nas.service',
      '[Unit]\nDescription=of the k3s server\n[Service]\nExecStart=/usr/bin/rsync /k3s server:\n',
    ],
    [
      'systemd/system/k3s-snapshot.service',
      'ExecStart=/usr/local/bin/k3s etcd-snapshot save --name server\n',
    ],
    ['init.d/k3s-watch', 'command="/usr/local/bin/k3s-watch"\ncommand_args="server"\n'],
  ])('is not %s, which has only such a name', (path, text) => {
    expect(told(path, text)).toBeUndefined()
  })
})
