import { peakMemory } from '../lab/own-process.js'
import { type StageJob, stage } from './stage.js'

/** Run by the bench in a process of its own: a blob to all hosts at once; prints the most memory that it took, in MB. */
await stage(JSON.parse(process.argv[2] ?? '') as StageJob)
process.stdout.write(JSON.stringify({ peakMb: peakMemory() }))
