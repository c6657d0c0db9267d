import { quoteAll } from '../../quote.js'

/**
 * File systems behind the paths. Whether root can write is tried with one empty file in the nearest parent that exists; it
 * is removed at once, also when the probe is ended between the two.
 */
export function storageSection(paths: readonly string[]): string {
  return String.raw`
grep -v -e ' /run/k3s/' -e ' /var/lib/kubelet/' -e ' /run/netns/' -e ' /run/docker/' -e ' /var/lib/docker/' -e ' /proc/' /proc/self/mounts 2>/dev/null | block mounts
swaps=$(sed 1d /proc/swaps 2>/dev/null | grep -vc '/zram')
kv swapDevices "$swaps"
for path in ${quoteAll(paths)}; do
  near=$path
  while [ ! -e "$near" ] && [ -n "$near" ]; do near=${'${near%/*}'}; done
  near=${'${near:-/}'}
  writable=0
  if [ -d "$near" ]; then
    trial=${'${near%/}'}/.airlift-probe-$$
    trap 'rm -f "$trial"' EXIT HUP INT TERM
    if (set -C; : >"$trial") 2>/dev/null; then writable=1; fi
    rm -f "$trial" 2>/dev/null
    trap - EXIT HUP INT TERM
  fi
  printf 'path\t%s\t%s\t%s\n' "$path" "$near" "$writable"
  df -Pk "$near" 2>/dev/null | sed -n '2,$p' | block "df.$path"
  df -Pi "$near" 2>/dev/null | sed -n '2,$p' | block "dfi.$path"
done
`
}
