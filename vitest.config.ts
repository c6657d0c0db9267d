import { defineConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

/** The scenarios of runtimes that need no lab, beside those that do. */
const SIMULATED = 'test/contract/runtime-conformance.test.ts'
const LAB = ['test/{contract,integration,e2e}/**/*.test.ts']
/** Those that measure seconds, or count on being the only ones at work: one file at a time. */
const ALONE = [
  'test/contract/{machine-lock,ssh-network,ssh-unreachable}.test.ts',
  'test/integration/round-trips.test.ts',
]

/** Files that take a minute or more, although some of them are short: begun first, or the last of them would end alone. */
const LONG =
  /\/e2e\/(add-delete|containers|engine-restart|failing-k3s|host-kinds|interrupted|joining|node-versions|stop-start)\.test\.ts$/

/** The longest first: by what a run before has taken, else by their size; and before all those that are known to be long. */
class LongFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files)
    const long = (file: TestSpecification): boolean => LONG.test(file.moduleId)
    return [...sorted.filter(long), ...sorted.filter((file) => !long(file))]
  }
}

const lab = {
  globalSetup: ['test/lab/global-setup.ts'],
  // A real k3s takes about 25 s to its first Ready, the stand-in 2.
  testTimeout: process.env.AIRLIFT_K3S ? 600_000 : 180_000,
  hookTimeout: process.env.AIRLIFT_K3S ? 400_000 : 240_000,
  restoreMocks: true,
  unstubEnvs: true,
}

/** Projects: unit (no I/O); lab and lab-alone (contract, integration and the whole command line, on lab machines). */
export default defineConfig({
  test: {
    sequence: { sequencer: LongFirst },
    projects: [
      {
        test: {
          name: 'unit',
          // Property tests and tests under three shells are slow on a machine that is busy with a lab.
          testTimeout: 20_000,
          // On two processors vitest would take one.
          maxWorkers: '100%',
          include: ['src/**/*.test.ts', 'test/unit/**/*.test.ts', SIMULATED],
          restoreMocks: true,
          unstubEnvs: true,
        },
      },
      {
        test: {
          ...lab,
          name: 'lab',
          include: LAB,
          exclude: [...ALONE, SIMULATED],
          // They wait for machines most of the time; more of them at once make k3s on two processors too slow for its own leases.
          maxWorkers: process.env.AIRLIFT_K3S ? 1 : 3,
          // After the unit tests, some of which measure how quick things are.
          sequence: { groupOrder: 1 },
        },
      },
      {
        test: {
          ...lab,
          name: 'lab-alone',
          include: ALONE,
          fileParallelism: false,
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
})
