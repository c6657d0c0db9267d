import { setup } from '../lab/global-setup.js'
import { k3sUnderTest, labMissing } from '../lab/lab.js'
import { benchCluster } from './cluster.js'
import { benchContainers } from './containers.js'
import { type Claim, describe, reached } from './measure.js'
import { benchStartUp } from './start-up.js'
import { benchUpload } from './upload.js'

/** npm run bench [-- start-up upload cluster containers]: medians of AIRLIFT_BENCH_RUNS (default 3) runs, each beside its peer in the same run. */
async function main(): Promise<void> {
  const runs = Number(process.env.AIRLIFT_BENCH_RUNS ?? 3)
  const wanted = process.argv.slice(2)
  const want = (name: string): boolean => wanted.length === 0 || wanted.includes(name)
  const claims: Claim[] = []
  const add = (found: readonly Claim[]): void => {
    for (const claim of found) console.log(describe(claim))
    claims.push(...found)
  }
  if (want('start-up')) add(await benchStartUp(runs))
  if (want('upload') || want('cluster') || want('containers')) {
    await setup()
    if (labMissing()) {
      console.log(`SKIPPED: upload, cluster and containers: ${labMissing()}`)
    } else {
      if (want('upload')) add(await benchUpload(runs))
      const k3s = k3sUnderTest()
      console.log(
        k3s.real ? `k3s ${k3s.version}` : 'STAND-IN k3s: the ratios below say nothing of a real cluster',
      )
      if (want('cluster')) add(await benchCluster(runs, k3s))
      if (want('containers')) {
        if (k3s.real) add(await benchContainers(runs, k3s))
        else console.log('SKIPPED: containers: set AIRLIFT_K3S and AIRLIFT_K3S_IMAGES to a real k3s')
      }
    }
  }
  const missed = claims.filter((claim) => reached(claim) === false)
  console.log(missed.length === 0 ? 'every claim is reached' : `${missed.length} claims missed`)
  process.exitCode = missed.length === 0 ? 0 : 1
}

await main()
