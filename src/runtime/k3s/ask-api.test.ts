import { execFileSync, spawnSync } from 'node:child_process'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { SHELLS } from '../../machine/shells.fixture.js'
import { ASK_AS_ADMIN, ASK_AS_KUBELET, askJoinable, CONDITION } from './ask-api.js'
import { K3S } from './paths.js'

/** Runs the condition function on a Node as the API server prints it. */
function condition(type: string, node: object, indent?: number): boolean {
  const script = `${CONDITION}\ncondition ${type}`
  return spawnSync('sh', ['-c', script], { input: JSON.stringify(node, null, indent) }).status === 0
}

const node = (ready: string): object => ({
  kind: 'Node',
  status: {
    conditions: [
      { type: 'MemoryPressure', status: 'False', reason: 'KubeletHasSufficientMemory' },
      { type: 'Ready', status: ready, message: '"type":"Ready"' },
      { type: 'EtcdIsVoter', status: 'False' },
    ],
  },
})

describe('condition', () => {
  it('reads a Node that is printed on one line and one that is indented', () => {
    expect(condition('Ready', node('True'))).toBe(true)
    expect(condition('Ready', node('True'), 2)).toBe(true)
  })

  it('is false for another status, another type and nothing at all', () => {
    expect(condition('Ready', node('False'))).toBe(false)
    expect(condition('Ready', node('Unknown'))).toBe(false)
    expect(condition('EtcdIsVoter', node('True'))).toBe(false)
    expect(condition('Ready', {})).toBe(false)
  })
})

describe('the shell functions', () => {
  it.each([
    ['as admin', ASK_AS_ADMIN],
    ['as kubelet', ASK_AS_KUBELET],
    ['joinable', askJoinable('bare1')],
  ])('%s are POSIX sh that a strict shell accepts', (_, text) => {
    expect(() => execFileSync('sh', ['-n'], { input: text })).not.toThrow()
  })

  it('are false on a machine where nothing is installed', () => {
    const script = `${askJoinable('bare1')}\njoinable`
    expect(spawnSync('sh', ['-c', script]).status).not.toBe(0)
  })

  it('keep the token out of every argument', () => {
    expect(askJoinable('bare1')).toMatch(/printf 'user = .*\| curl .*-K -/)
  })
})

describe.each(SHELLS)('where the API is and with which keys it is asked, under %s', (program, ...args) => {
  let dir = ''
  beforeAll(() => {
    dir = mkdtempSync(join(tmpdir(), 'airlift-ask-'))
    for (const name of ['curl', 'key']) writeFileSync(join(dir, name), '#!/bin/sh\necho "$*"\n')
    chmodSync(join(dir, 'curl'), 0o755)
  })
  afterAll(() => rmSync(dir, { recursive: true }))

  /** What curl is given, of a machine whose kubeconfig is this text. */
  function asked(api: string, kubeconfig: string, ask = 'api /readyz'): string {
    const path = join(dir, 'kubeconfig')
    writeFileSync(path, kubeconfig)
    const script = api
      .replaceAll(K3S.kubeconfig, path)
      .replaceAll(K3S.kubeletKubeconfig, path)
      .replaceAll(`${K3S.dataDir}/server/tls/client-admin.key`, join(dir, 'key'))
      .replaceAll(K3S.binary, join(dir, 'none'))
    const env = { ...process.env, PATH: `${dir}:${process.env.PATH}` }
    return spawnSync(program, [...args, '-c', `set -u\n${script}\n${ask}`], { env, encoding: 'utf8' }).stdout
  }

  it('is read from the kubeconfig of the admin', () => {
    const clusters = 'apiVersion: v1\nclusters:\n- cluster:\n    certificate-authority-data: QQ==\n'
    const said = asked(
      ASK_AS_ADMIN,
      `${clusters}    server: https://[::1]:6443\n  name: default\nserver: other\n`,
    )
    expect(said).toMatch(
      / --cacert \S+server-ca.crt --cert \S+client-admin.crt --key \S+key https:\/\/\[::1\]:6443\/readyz\n$/,
    )
    expect(asked(ASK_AS_ADMIN, '')).toBe('')
  })

  it('holds for who asks whether nodes are taken in: k3s may listen on one address and another port', () => {
    const token = join(dir, 'token')
    writeFileSync(token, 'K10ab::server:secret')
    const joinable = askJoinable('bare1').replaceAll(`${K3S.dataDir}/server/token`, token)
    // What is answered is kept from being seen by the comparison with 200.
    const shown = joinable.replace('case $code in', 'echo "$code"; case $code in')
    expect(asked(shown, 'server: https://10.0.0.1:7443\n', 'joinable')).toMatch(
      / https:\/\/10\.0\.0\.1:7443\/v1-k3s\/readyz\n/,
    )
    expect(asked(shown, '', 'joinable')).toBe('')
  })

  it("is read from the kubelet's, to its last line", () => {
    const keys = `    client-certificate: /a/cert file.crt\n    client-key: ${dir}/key`
    const text = `- cluster:\n    server: https://127.0.0.1:6444\n    certificate-authority: /a/ca.crt\nusers:\n${keys}`
    const said = ` --cacert /a/ca.crt --cert /a/cert file.crt --key ${dir}/key https://127.0.0.1:6444/readyz\n`
    for (const end of ['', '\n']) expect(asked(ASK_AS_KUBELET, text + end)).toContain(said)
    expect(asked(ASK_AS_KUBELET, '')).toBe('')
  })
})
