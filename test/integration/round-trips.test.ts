import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { buildSpec } from '../../src/cluster/build-spec.js'
import type { SshOptions } from '../../src/cluster/spec.js'
import { type Context, createContext } from '../../src/core/context.js'
import { createConnector } from '../../src/machine/connect.js'
import type { Machine } from '../../src/machine/machine.js'
import { createSecretSource } from '../../src/machine/ssh/secret-source.js'
import { reset } from '../../src/operations/reset.js'
import { run } from '../../src/operations/run.js'
import { createSpecIo } from '../../src/registry/local-spec-io.js'
import { openRootfs } from '../../src/rootfs/open-rootfs.js'
import { type Scenario, startScenario } from '../e2e/cluster.js'
import { labMissing } from '../lab/lab.js'

describe.skipIf(labMissing())('round trips', () => {
  let scene: Scenario
  beforeAll(async () => {
    scene = await startScenario('test-trips', 2)
  })
  afterAll(() => scene.end())

  it('of a worker are at most six from the first connection to a verified node, and one when nothing is to be done', async () => {
    const [master, worker] = scene.machines.hosts
    const flags = {
      masters: `root@${master?.ip}`,
      nodes: `root@${worker?.ip}`,
      identity: [scene.machines.key],
      knownHosts: scene.machines.knownHosts,
      ...(process.env.AIRLIFT_K3S_DISABLE ? { set: [`disable=${process.env.AIRLIFT_K3S_DISABLE}`] } : {}),
    }
    const { spec } = await buildSpec(flags, createSpecIo())
    const ctx = createContext({ env: { HOME: scene.home } })
    const secrets = createSecretSource({}, async () => undefined)
    const machines: Machine[] = []
    const deps = {
      secrets,
      createConnector: (options: SshOptions, context: Context) => {
        const connector = createConnector(options, context, secrets)
        return {
          ...connector,
          connect: async (target: Parameters<typeof connector.connect>[0]) => {
            const machine = await connector.connect(target)
            machines.push(machine)
            return machine
          },
        }
      },
    }
    const rootfs = await openRootfs(scene.bundle)
    try {
      const first = await run({ spec, rootfs }, ctx, deps)
      expect(first.report?.outcome).toBe('done')
      const trips = (address: string | undefined): number =>
        machines.findLast((machine) => machine.id.includes(address ?? ''))?.stats.roundTrips ?? Number.NaN
      expect(trips(worker?.ip)).toBeLessThanOrEqual(6)
      expect(trips(worker?.ip)).toBeGreaterThan(2)
      const second = await run({ spec, rootfs }, ctx, deps)
      expect(second.report).toMatchObject({ outcome: 'unchanged', bytesSent: 0 })
      expect(trips(worker?.ip)).toBe(1)
      expect((await reset({ spec }, ctx, deps)).report?.outcome).toBe('done')
    } finally {
      await rootfs.close()
    }
  })
})
