import { Readable } from 'node:stream'
import type { NodeSpec } from '../../cluster/spec.js'
import { createContext } from '../../core/context.js'
import { AirliftError } from '../../core/errors.js'
import type { FakeEngine } from '../../machine/docker/fake-engine-types.js'
import type { Machine } from '../../machine/machine.js'
import { type ImportResult, importImages } from './import-images.js'

/** What an import is given beside its sources. */
export interface Given {
  /** Absent: no engine answers. */
  readonly engine?: FakeEngine
  readonly stdin?: Readable
  /** Where what can be read only once is kept. */
  readonly dir: string
}

/** Imports into machines that are named by hand, the first as the master. */
export function importInto(
  machines: readonly (Machine | AirliftError)[],
  sources: readonly string[],
  { engine, stdin = Readable.from([]), dir }: Given,
): Promise<ImportResult> {
  const left = [...machines]
  const specs = machines.map(
    (_, index): NodeSpec => ({
      target: { kind: 'ssh', text: `n${index}`, host: `n${index}` },
      role: index === 0 ? 'master' : 'worker',
      labels: {},
      taints: [],
    }),
  )
  const ssh = {
    identities: [],
    hostKeys: 'accept-new',
    askPass: false,
    askSudoPass: false,
    sudo: 'auto',
    transport: 'auto',
  } as const
  const cluster = { name: 'dev', masters: specs.slice(0, 1), nodes: specs.slice(1), ssh }
  return importImages(
    { selection: { cluster, roles: [], on: [] }, sources, timeoutMs: 5000 },
    createContext({ env: { TMPDIR: dir } }),
    {
      secrets: undefined as never,
      stdin,
      createConnector: () => ({
        async connect() {
          const next = left.shift()
          if (next instanceof AirliftError) throw next
          return next as Machine
        },
        engine: () => Promise.reject(new Error('not for tests')),
        async close() {},
      }),
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
