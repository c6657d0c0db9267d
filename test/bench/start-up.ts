import { execa } from 'execa'
import { ROOT } from '../lab/lab.js'
import { type Claim, seconds } from './measure.js'

/** `--help` and `--version` over a bare node, in milliseconds, taken in turns so that both see the same machine. */
export async function benchStartUp(runs: number): Promise<Claim[]> {
  const over = async (args: readonly string[]): Promise<number[]> => {
    const result: number[] = []
    for (let i = 0; i < runs * 5; i++) {
      const bare = await seconds(() => execa(process.execPath, ['-e', '0']))
      const ours = await seconds(() => execa(process.execPath, [`${ROOT}/bin/airlift.js`, ...args]))
      result.push((ours - bare) * 1000)
    }
    return result
  }
  return [
    {
      what: 'airlift --help over bare node',
      ours: await over(['--help']),
      unit: 'ms',
      limit: 100,
      absolute: true,
    },
    {
      what: 'airlift version over bare node',
      ours: await over(['--version']),
      unit: 'ms',
      limit: 100,
      absolute: true,
    },
  ]
}
