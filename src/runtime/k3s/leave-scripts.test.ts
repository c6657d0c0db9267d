import { execFileSync, spawnSync } from 'node:child_process'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { compileActions } from '../../plan/compile.js'
import type { Action } from '../../plan/plan.js'
import { drainScript, leaveScript, waitMemberGone } from './leave-scripts.js'
import { K3S } from './paths.js'

let dir = ''
beforeAll(() => {
  dir = mkdtempSync(`${tmpdir()}/airlift-leave-`)
})
afterAll(() => rmSync(dir, { recursive: true, force: true }))

/** Runs an action as a machine would, with `k3s` replaced by a shell script that gets kubectl's arguments as "$*". */
function runWith(action: Action, k3s: string): { exit: number | null; out: string } {
  writeFileSync(`${dir}/k3s`, `#!/bin/sh\nshift\n${k3s}\n`)
  chmodSync(`${dir}/k3s`, 0o755)
  const script = compileActions([action], new Map()).replaceAll(K3S.binary, `${dir}/k3s`)
  const { status, stdout } = spawnSync('sh', [], { input: script, encoding: 'utf8' })
  return { exit: status, out: stdout }
}

const drain = (force = false): Action => ({
  kind: 'script',
  script: drainScript('bare5', { timeoutMs: 5000, force, alive: true }),
})

/** What kubectl 1.33 writes. */
const BUDGET = `node/bare5 already cordoned
evicting pod default/web-6c9
error when evicting pods/"web-6c9" -n "default" (will retry after 5s): Cannot evict pod as it would violate the pod's disruption budget.
There are pending nodes to be drained:
 bare5
error when evicting pods/"web-6c9" -n "default": global timeout reached: 5s`
const BARE = `node/bare5 already cordoned
error: unable to drain node "bare5" due to error: cannot delete cannot delete Pods that declare no controller (use --force to override): default/lonely, default/other, continuing command...
There are pending nodes to be drained:
 bare5
cannot delete cannot delete Pods that declare no controller (use --force to override): default/lonely, default/other`

const failing = (text: string): string =>
  `case "$*" in 'get node'*) echo node/bare5 ;; *--disable-eviction*) exit 0 ;; drain*) cat >&2 <<'END'\n${text}\nEND\nexit 1 ;; esac`

describe('a drain', () => {
  it('that a PodDisruptionBudget forbids names the pods and what may be done', () => {
    const { exit, out } = runWith(drain(), failing(BUDGET))
    expect(exit).toBe(1)
    expect(out).toContain(
      '@@fail E_DRAIN node bare5 is not drained after 5s: a PodDisruptionBudget forbids evicting default/web-6c9',
    )
    expect(out).toMatch(/@@hint bare5 stays cordoned .*--drain-timeout.*--force.*uncordon bare5/)
    expect(out).toContain('@@log evicting pod default/web-6c9')
  })

  it('that would lose pods without a controller names them', () => {
    const { exit, out } = runWith(drain(), failing(BARE))
    expect(exit).toBe(1)
    expect(out).toMatch(/@@fail E_DRAIN .*without a controller.*: default\/lonely, default\/other$/m)
  })

  it('that fails otherwise ends with what kubectl said last', () => {
    expect(runWith(drain(), failing('error: the server is on fire')).out).toMatch(
      /@@fail E_DRAIN node bare5 is not drained after 5s: error: the server is on fire/,
    )
  })

  it('goes on with force, and says so', () => {
    const { exit, out } = runWith(drain(true), failing(BUDGET))
    expect(exit).toBe(0)
    expect(out).toMatch(/@@note node bare5: its pods did not leave within 5s and are deleted/)
  })

  it('of a node that is gone is done, and of one that cannot be asked for is not', () => {
    expect(runWith(drain(), 'exit 0')).toMatchObject({ exit: 0 })
    const { exit, out } = runWith(drain(), 'exit 1')
    expect(exit).toBe(1)
    expect(out).toContain('@@fail E_COMMAND the API server did not answer')
  })
})

describe('deleting a node', () => {
  it('reads back that nothing of it is left', () => {
    const script: Action = { kind: 'script', script: leaveScript('bare5') }
    expect(runWith(script, 'exit 0')).toMatchObject({ exit: 0 })
    const left = runWith(script, `case "$*" in 'get secret'*) echo secret/bare5.node-password.k3s ;; esac`)
    expect(left.exit).toBe(1)
    expect(left.out).toContain('@@fail E_VERIFY the cluster still has what node bare5 left: secret/bare5')
    expect(runWith(script, `case "$*" in 'delete node'*) exit 1 ;; esac`).out).toContain(
      '@@fail E_COMMAND cannot delete node bare5',
    )
  })
})

describe("etcd's members", () => {
  const wait = waitMemberGone('bare1', ['bare2'], 1000)
  const answering = (members: readonly string[]): string => {
    const info = JSON.stringify({
      members: members.map((name) => ({ ID: 5, name, peerURLs: ['https://10.0.0.1:2380'] })),
    })
    return `case "$*" in *db/info*) printf '%s' '${info}' ;; *readyz*) printf ok ;; 'get node'*) printf 'True True' ;; esac`
  }

  it.each([
    [['bare2-0a1b2c3d'], 0],
    [['bare2-0a1b2c3d', 'bare11-0a1b2c3d', 'bare1-x-0a1b2c3d'], 0],
    [['bare1-0a1b2c3d', 'bare2-0a1b2c3d'], 1],
    // Without a majority k3s names only the member that was asked; then one that stays may be missing.
    [['bare3-0a1b2c3d'], 1],
    [[], 1],
  ])('%j', (members, exit) => {
    const { exit: found, out } = runWith(wait, answering(members))
    expect(found, out).toBe(exit)
    if (exit === 1) expect(out).toContain('@@fail E_TIMEOUT')
  })

  it('are asked for in a way that every shell understands', () => {
    const script = compileActions([wait], new Map())
    for (const shell of ['sh', 'bash']) execFileSync(shell, ['-n'], { input: script })
  })
})
