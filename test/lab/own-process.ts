import { readFileSync, rmSync } from 'node:fs'
import { basename, join } from 'node:path'
import { buildSync } from 'esbuild'
import { execa } from 'execa'
import { ROOT } from './lab.js'

/**
 * Runs a program of the tests in a process of its own, and gives back what it printed as JSON. It is made as the command line
 * is: a loader of TypeScript takes 45 MB by itself.
 */
export async function runApart<Result>(path: string, args: readonly string[]): Promise<Result> {
  // It finds packages from where it lies.
  const program = join(ROOT, 'node_modules', '.cache', `${basename(path, '.ts')}-${process.pid}.mjs`)
  try {
    buildSync({
      entryPoints: [path],
      outfile: program,
      bundle: true,
      platform: 'node',
      format: 'esm',
      packages: 'external',
    })
    const { stdout } = await execa(process.execPath, [program, ...args])
    return JSON.parse(stdout) as Result
  } finally {
    rmSync(program, { force: true })
  }
}

/**
 * The most memory that this process has taken, in MB (10^6). `resourceUsage().maxRSS` would not do: on Linux it begins with what
 * the process that started this one had taken, which of a worker of the tests is more than the product takes.
 */
export function peakMemory(): number {
  const [, kib] = /^VmHWM:\s*(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8')) ?? []
  return (Number(kib) * 1024) / 1e6
}
