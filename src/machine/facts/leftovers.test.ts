import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { SHELLS } from '../shells.fixture.js'
import { leftoversSection } from './probe/leftovers.js'

describe.each(SHELLS)('what an earlier k3s left, under %s', (program, ...args) => {
  /** What is told of k3s on a machine that has these files below /etc. */
  function leftovers(files: Readonly<Record<string, string>>): string[] {
    const etc = mkdtempSync(join(tmpdir(), 'airlift-left-'))
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(dirname(join(etc, path)), { recursive: true })
      writeFileSync(join(etc, path), text)
    }
    const script = `set -u\n${leftoversSection.replaceAll(' /etc/', ` ${etc}/`)}`
    const { stdout, stderr } = spawnSync(program, [...args, '-c', script], { encoding: 'utf8' })
    rmSync(etc, { recursive: true })
    expect(stderr).toBe('')
    const lines = stdout.trim().split('\n')
    return lines.filter((line) => line.includes(etc)).map((line) => line.replaceAll(`${etc}/`, ''))
  }

  it('is each file whose settings would win over those of airlift', () => {
    const told = leftovers({
      'rancher/k3s/config.yaml.d/10-a.yaml': 'node-name: evil\n',
      'rancher/k3s/config.yaml.d/90-b.yml': 'server: x\n',
      'rancher/k3s/config.yaml.d/notes.txt': '',
      'rancher/k3s/registries.yaml': 'mirrors: {}\n',
      'systemd/system/k3s-agent.service.d/o.conf':
        '[Service]\n  # K3S_DEBUG=1\nEnvironment="K3S_URL=https://x:6443" K3S_TOKEN=hunter5\nExecStartPre=x\nExecStart=\n',
      'conf.d/k3s': "export K3S_NODE_NAME='evil'\n",
    })
    expect(told).toEqual([
      'leftover\tk3s-drop-in\trancher/k3s/config.yaml.d/10-a.yaml',
      'leftover\tk3s-drop-in\trancher/k3s/config.yaml.d/90-b.yml',
      'leftover\tk3s-registries\trancher/k3s/registries.yaml',
      'leftover\tk3s-env\tconf.d/k3s: K3S_NODE_NAME',
      'leftover\tk3s-env\tsystemd/system/k3s-agent.service.d/o.conf: K3S_URL K3S_TOKEN ExecStart',
    ])
  })

  it('is not what the user keeps for every k3s: reset leaves it, too', () => {
    const told = leftovers({
      'default/k3s': '#K3S_TOKEN=x\nHTTP_PROXY=http://proxy:3128\nMY_K3S_TOKEN=x\n',
      'systemd/system/k3s.service.d/limits.conf': '[Service]\nLimitNOFILE=5\n',
    })
    expect(told).toEqual([])
  })
})
