import { K3S } from './paths.js'

/**
 * Defines `own_programs`: prints `PID PROGRAM` of what runs from k3s' own data, the shims of pods among them. /proc has their
 * real paths, also where a link leads to the data.
 */
export const OWN_PROGRAMS = `own_programs() {
  at=$(readlink -f ${K3S.dataDir}/data 2>/dev/null) || at=${K3S.dataDir}/data
  ls -l /proc/[0-9]*/exe 2>/dev/null | sed -n "s#.* /proc/\\([0-9]*\\)/exe -> $at/\\(.*\\)#\\1 \\2#p"
}`
