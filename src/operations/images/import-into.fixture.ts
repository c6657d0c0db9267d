import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { afterEach, beforeEach, expect } from 'vitest'
import type { NodeSpec } from '../../cluster/spec.js'
import { plainSsh } from '../../cluster/ssh.fixture.js'
import { type Clock, createContext } from '../../core/context.js'
import { AirliftError } from '../../core/errors.js'
import type { FakeEngine } from '../../machine/docker/fake-engine-types.js'
import type { Machine } from '../../machine/machine.js'
import { write } from '../../rootfs/archives.fixture.js'
import { connectInOrder } from '../connect-in-order.fixture.js'
import { createFakeContainerd, type FakeContainerd } from './fake-containerd.fixture.js'
import { type ImportResult, importImages } from './import-images.js'

/** What an import is given beside its sources. */
interface Given {
  /** Absent: no engine answers. */
  readonly engine?: FakeEngine
  readonly stdin?: Readable
  readonly clock?: Clock
  readonly signal?: AbortSignal
}

/** Nodes to import into, and a directory for each test. */
export interface ImportLab {
  /** A node; a test fails at its end where the node was asked what it did not expect. */
  node(...args: Parameters<typeof createFakeContainerd>): FakeContainerd
  /** Writes a file into the directory of the test, and gives its path. */
  file(content: Buffer | string, name?: string): string
  /** Imports into machines that are named by hand, the first as the master. */
  importInto(
    machines: readonly (Machine | AirliftError)[],
    sources: readonly string[],
    given?: Given,
  ): Promise<ImportResult>
}

/** Gives the tests of a file what they import into, and sees that none leaves anything in its directory. */
export function importLab(): ImportLab {
  let dir: string
  const nodes: FakeContainerd[] = []
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'airlift-import-'))
  })
  afterEach(() => {
    for (const fake of nodes.splice(0)) fake.verify()
    // What could be read only once was kept here, and is gone.
    expect(readdirSync(dir).filter((name) => name.startsWith('airlift-'))).toEqual([])
    rmSync(dir, { recursive: true, force: true })
  })
  return {
    node(...args) {
      const made = createFakeContainerd(...args)
      nodes.push(made)
      return made
    },
    file: (content, name = 'app.tar') => write(join(dir, name), content),
    importInto: (machines, sources, given = {}) => importWith(machines, sources, given, dir),
  }
}

function importWith(
  machines: readonly (Machine | AirliftError)[],
  sources: readonly string[],
  { engine, stdin = Readable.from([]), clock, signal }: Given,
  dir: string,
): Promise<ImportResult> {
  const specs = machines.map(
    (_, index): NodeSpec => ({
      target: { kind: 'ssh', text: `n${index}`, host: `n${index}` },
      role: index === 0 ? 'master' : 'worker',
      labels: {},
      taints: [],
    }),
  )
  const cluster = { name: 'dev', masters: specs.slice(0, 1), nodes: specs.slice(1), ssh: plainSsh }
  return importImages(
    { selection: { cluster, roles: [], on: [] }, sources, timeoutMs: 5000 },
    createContext({ env: { TMPDIR: dir }, ...(clock ? { clock } : {}), ...(signal ? { signal } : {}) }),
    {
      ...connectInOrder(...machines),
      stdin,
      connectEngine: async () => {
        if (engine) return engine
        throw new AirliftError('E_ENGINE_UNREACHABLE', 'no container engine answers', {
          hint: 'start Docker',
        })
      },
    },
  )
}

/** What became of each name on each machine. */
export const outcomes = ({ machines }: ImportResult): unknown =>
  machines.map(({ images }) => Object.fromEntries(images.map(({ name, outcome }) => [name, outcome])))
