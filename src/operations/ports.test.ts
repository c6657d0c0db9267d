import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { recordOf, writeRecord } from '../cluster/record.js'
import { createContext } from '../core/context.js'
import { AirliftError } from '../core/errors.js'
import { createFakeEngine } from '../machine/docker/fake-engine.js'
import { testSpec } from '../runtime/k3s/world.fixture.js'
import { changePublishedPorts } from './ports.js'
import type { OperationDeps } from './session.js'

let home: string
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'airlift-ports-'))
})
afterEach(() => rm(home, { recursive: true, force: true }))

/** The error that a change ends with; no machine and no other engine may be asked. */
async function refusal(name: string, texts: readonly string[]): Promise<unknown> {
  const env = { XDG_STATE_HOME: home }
  const spec = { ...testSpec(1, 0), name: 'prod' }
  await writeRecord(recordOf(spec, 'v1.33.1+k3s1', new Date(0)), env)
  const deps: OperationDeps = {
    secrets: undefined as never,
    createConnector: () => {
      throw new Error('a host is asked')
    },
    connectEngine: async () => createFakeEngine(),
  }
  const cluster = { name, masters: [], nodes: [], ssh: spec.ssh }
  const ctx = createContext({ env })
  return changePublishedPorts({ cluster, change: { op: 'add', texts } }, ctx, deps).catch((error) => error)
}

it('of a cluster on hosts are refused without asking any', async () => {
  const error = await refusal('prod', ['8080:80'])
  expect(error).toBeInstanceOf(AirliftError)
  expect(error).toMatchObject({ code: 'E_UNSUPPORTED', exit: 2 })
  expect((error as AirliftError).message).toBe('the cluster "prod" is on hosts, where nothing is published')
  expect((error as AirliftError).hint).toContain('NodePort')
})

it('of a cluster that nobody knows are refused', async () => {
  expect(await refusal('dev', ['8080:80'])).toMatchObject({ code: 'E_NO_CLUSTER', exit: 6 })
})
