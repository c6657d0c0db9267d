import { airlift, type CliResult, type K3sUnderTest } from './lab.js'

/** Builds a bundle of a k3s with the command line, and gives back what that said as JSON. Throws when it failed. */
export async function buildBundle(k3s: K3sUnderTest, output: string, home: string): Promise<CliResult> {
  const from = ['--runtime', 'k3s', '--version', k3s.version, '--binary', k3s.binary, '--images', k3s.images]
  const built = await airlift(['rootfs', 'build', ...from, '--output', output, '-o', 'json'], { home })
  if (built.exitCode !== 0) throw new Error(`${built.stdout}\n${built.stderr}`)
  return built
}
