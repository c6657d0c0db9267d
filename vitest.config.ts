import { defineConfig } from 'vitest/config'

/** Three projects: unit (no I/O), contract and integration (lab machines), e2e (whole command line on lab machines). */
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          // Property tests and tests under three shells are slow on a machine that is busy with a lab.
          testTimeout: 20_000,
          include: ['src/**/*.test.ts', 'test/unit/**/*.test.ts'],
          restoreMocks: true,
          unstubEnvs: true,
        },
      },
      {
        test: {
          name: 'lab',
          include: ['test/{contract,integration,e2e}/**/*.test.ts'],
          globalSetup: ['test/lab/global-setup.ts'],
          // A real k3s takes about 25 s to its first Ready, the stand-in 3.
          testTimeout: process.env.AIRLIFT_K3S ? 600_000 : 180_000,
          hookTimeout: process.env.AIRLIFT_K3S ? 400_000 : 240_000,
          // Some of these tests race against what machines do: one file at a time keeps them steady.
          fileParallelism: false,
          // After the unit tests, some of which measure how quick things are.
          sequence: { groupOrder: 1 },
          restoreMocks: true,
          unstubEnvs: true,
        },
      },
    ],
  },
})
