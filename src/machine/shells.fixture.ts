import { spawnSync } from 'node:child_process'

/** The shells of machines that this computer has too: scripts are tried under each. */
export const SHELLS: [program: string, ...args: string[]][] = (
  [['dash'], ['bash'], ['busybox', 'sh']] as [string, ...string[]][]
).filter(([program]) => spawnSync('sh', ['-c', `command -v ${program}`]).status === 0)
