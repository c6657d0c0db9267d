import { quoteAll } from '../../quote.js'

/**
 * File systems behind the paths, in their order. Whether root can write is tried with one empty file in the nearest parent
 * that exists; it is removed at once, also when the probe is ended between the two. One `df` tells of all; where it fails for
 * one of them, each is asked for by itself, and `-` stands for what cannot be told.
 */
export function storageSection(paths: readonly string[]): string {
  return String.raw`
open mounts
grep -v -e ' /run/k3s/' -e ' /var/lib/kubelet/' -e ' /run/netns/' -e ' /run/docker/' -e ' /var/lib/docker/' -e ' /proc/' /proc/self/mounts 2>/dev/null
shut
swaps=0
while read -r device kind; do
  case $device in Filename | */zram*) ;; *) swaps=$((swaps + 1)) ;; esac
done 2>/dev/null </proc/swaps
kv swapDevices "$swaps"
space() {
  open "$1"
  flag=$2
  shift 2
  told=$(df "$flag" "$@" 2>/dev/null | sed 1d)
  lines=0 rest=$told$nl
  while [ "$rest" != "$nl" ] && [ -n "$rest" ]; do rest=${'${rest#*"$nl"}'} lines=$((lines + 1)); done
  if [ "$lines" = "$#" ]; then printf '%s\n' "$told"
  else
    set -f
    for near in "$@"; do
      told=$(df "$flag" "$near" 2>/dev/null | sed 1d)
      echo ${'${told:--}'}
    done
    set +f
  fi
  shut
}
storage() {
  tried=$nl
  for path in ${quoteAll(paths)}; do
    near=$path
    while [ ! -e "$near" ] && [ -n "$near" ]; do near=${'${near%/*}'}; done
    near=${'${near:-/}'}
    set -- "$@" "$near"
    writable=0
    case $tried in
      *"$nl"1"$near$nl"*) writable=1 ;;
      *"$nl"0"$near$nl"*) ;;
      *)
        if [ -d "$near" ]; then
          trial=${'${near%/}'}/.airlift-probe-$$
          trap 'rm -f "$trial"' EXIT HUP INT TERM
          set -C
          if { printf '' >"$trial"; } 2>/dev/null; then writable=1; fi
          set +C
          if [ -e "$trial" ]; then rm -f "$trial" 2>/dev/null; fi
          trap - EXIT HUP INT TERM
        fi
        tried=$tried$writable$near$nl
        ;;
    esac
    printf 'path\t%s\t%s\t%s\n' "$path" "$near" "$writable"
  done
  [ $# = 0 ] || space df -Pk "$@"
  [ $# = 0 ] || space dfi -Pi "$@"
}
storage
`
}
