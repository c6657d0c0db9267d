import { existsSync, mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { execa } from 'execa'
import { ROOT } from './lab.js'
import { installNodes } from './nodes.js'

/**
 * Prepares what the suites need: the tools that check airlift's work, the versions of node that it promises to work on, a
 * Docker engine, host images and a k3s. Where this machine cannot have one of them, what needs it is skipped and the reason is
 * printed.
 */
export async function setup(): Promise<void> {
  // Two projects have it.
  if (process.env.AIRLIFT_TEST_K3S || process.env.AIRLIFT_LAB_MISSING) return
  const [missing] = await Promise.all([prepare().catch(reason), prepareNodes()])
  if (missing) {
    process.env.AIRLIFT_LAB_MISSING = missing
    process.stderr.write(`\nSKIPPED: everything that needs lab machines: ${missing}\n\n`)
  }
}

const reason = (error: unknown): string => (error instanceof Error ? error.message : String(error))

async function prepareNodes(): Promise<void> {
  try {
    process.env.AIRLIFT_TEST_NODES = JSON.stringify(await installNodes())
  } catch (error) {
    process.stderr.write(`\nSKIPPED: other versions of node than ${process.version}: ${reason(error)}\n\n`)
  }
}

async function prepare(): Promise<string | undefined> {
  const tools = await execa(`${ROOT}/test/lab/tools.sh`, { reject: false })
  if (tools.exitCode !== 0)
    process.stderr.write(`\nSKIPPED: what needs tools that cannot be installed: ${tools.stderr.trim()}\n\n`)
  const engine = await execa(`${ROOT}/lab/lab.sh`, ['engine'], { reject: false })
  if (engine.exitCode !== 0) return `no Docker engine: ${engine.stderr.trim().split('\n').at(-1) ?? ''}`
  const images = await execa(`${ROOT}/lab/lab.sh`, ['images'], { reject: false })
  if (images.exitCode !== 0) return `no host images: ${images.stderr.trim().split('\n').at(-1) ?? ''}`
  // Hosts of a suite that was cut short, with its computer: they would be found instead of made.
  await execa(`${ROOT}/lab/lab.sh`, ['down', '--stopped'], { reject: false })
  process.env.AIRLIFT_TEST_K3S = JSON.stringify(await chooseK3s())
  return undefined
}

async function chooseK3s(): Promise<Record<string, unknown>> {
  const binary = process.env.AIRLIFT_K3S
  if (binary) {
    const images = process.env.AIRLIFT_K3S_IMAGES
    if (!existsSync(binary) || !images || !existsSync(images)) {
      throw new Error('AIRLIFT_K3S and AIRLIFT_K3S_IMAGES must both name files that exist')
    }
    const { stdout } = await execa(binary, ['--version'])
    const version = /\bv\d+\.\d+\.\d+\S*/.exec(stdout)?.[0] ?? ''
    process.stderr.write(`\nlab suites run against a real k3s ${version}\n\n`)
    return { binary, images, version, real: true }
  }
  const dir = mkdtempSync(`${tmpdir()}/airlift-stand-in-`)
  await execa(`${ROOT}/lab/stand-in/build.sh`, [dir])
  process.stderr.write(
    '\nlab suites run against the stand-in k3s: they prove that the contract is kept, not that k3s works.\nSKIPPED: a real k3s (set AIRLIFT_K3S and AIRLIFT_K3S_IMAGES)\n\n',
  )
  return {
    binary: `${dir}/k3s`,
    images: `${dir}/k3s-airgap-images-amd64.tar`,
    version: 'v1.33.1+k3s1',
    real: false,
  }
}
