import { spawnSync } from 'node:child_process'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { compileActions } from '../../plan/compile.js'
import type { Action } from '../../plan/plan.js'
import { K3S } from './paths.js'

/** Runs actions as a machine would, with `k3s` replaced by a shell script that gets kubectl's arguments as "$*". */
export function runWith(actions: readonly Action[], k3s: string): { exit: number | null; out: string } {
  const dir = mkdtempSync(`${tmpdir()}/airlift-k3s-`)
  try {
    writeFileSync(`${dir}/k3s`, `#!/bin/sh\nshift\n${k3s}\n`)
    chmodSync(`${dir}/k3s`, 0o755)
    writeFileSync(`${dir}/k3s.yaml`, 'server: https://127.0.0.1:6443\n')
    const script = compileActions(actions, new Map())
      .replaceAll(K3S.binary, `${dir}/k3s`)
      .replaceAll(K3S.kubeconfig, `${dir}/k3s.yaml`)
      .replaceAll(K3S.dataDir, dir)
    const { status, stdout } = spawnSync('sh', [], { input: script, encoding: 'utf8' })
    return { exit: status, out: stdout }
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
}
