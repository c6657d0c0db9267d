import { quote } from '../machine/quote.js'
import { STATE_DIR } from '../machine/state-paths.js'
import type { StageBlob } from '../plan/plan.js'

/** From here on openssl hashes: several times as fast as coreutils where the processor has SHA instructions, slower to start. */
const LARGE_BYTES = 8 << 20

/** The order in which blobs travel: the largest last, since the last one needs no copying by counted blocks. */
export function stageOrder(blobs: readonly StageBlob[]): StageBlob[] {
  return [...blobs].sort((a, b) => a.sizeBytes - b.sizeBytes || (a.sha256 < b.sha256 ? -1 : 1))
}

/**
 * The script that receives blobs on standard input, one after the other, in the order of {@link stageOrder}. It works under
 * dash, bash and busybox. Each blob gets its name only when its size and digest are right; what
 * is there already is passed over. It prints `@@have N`, `@@done N` and, when it gives up, `@@fail WORD …`.
 */
export function stageScript(ordered: readonly StageBlob[], dir = STATE_DIR): string {
  const calls = (name: string): string[] =>
    ordered.map((blob, i) => `${name} ${i} ${blob.sha256} ${blob.sizeBytes}`)
  return `set -u
umask 077
export LC_ALL=C
b=${quote(`${dir}/blobs`)} s=${quote(`${dir}/blobs/sha256`)} last=${ordered.length - 1}
nl='
'
fail() { echo "@@fail $*"; exit 1; }
# Why a write failed, from what the tool said.
broken() {
  case $1 in
    *[Nn]'o space left'*|*'uota exceeded'*) fail full 0 "$(room)";;
    *[Rr]'ead-only file system'*) fail readonly;;
  esac
  echo "$1" >&2; fail write
}
room() { df -Pk "$b" 2>/dev/null | awk 'NR==2 { printf "%.0f", $4 * 1024 }'; }
size() { stat -c %s "$1" 2>/dev/null || wc -c <"$1" 2>/dev/null || echo -1; }
# The start time of a process tells it from a later one with the same id.
started() { { read -r l <"/proc/$1/stat"; } 2>/dev/null || return 1; l=\${l##*) }; set -- $l; echo "\${20}"; }
e=$(mkdir -p "$s" 2>&1) || broken "$e"
chmod 0700 ${quote(dir)} "$b" "$s" 2>/dev/null
for d in "$b"/.tmp-*; do
  [ -d "$d" ] || continue
  n=\${d##*/.tmp-}
  [ "$(started "\${n%-*}")" = "\${n#*-}" ] || rm -rf "$d"
done
t="$b/.tmp-$$-$(started $$ || echo 0)"
trap 'rm -rf "$t"' EXIT
trap 'exit 70' HUP INT TERM PIPE
e=$(mkdir -p "$t" 2>&1) || broken "$e"
if openssl dgst -sha256 -r </dev/null >/dev/null 2>&1; then fast=1; else fast=; fi
if command -v sha256sum >/dev/null 2>&1; then slow=1; else slow=; fi
[ -n "$fast$slow" ] || fail tool sha256sum
sum() { if [ -n "$fast" ] && { [ -z "$slow" ] || [ "$1" -ge ${LARGE_BYTES} ]; }; then openssl dgst -sha256 -r; else sha256sum; fi; }
# Exactly so many bytes: dd with full blocks; head where it does not read ahead (busybox' does).
if [ "$(printf abc | dd bs=3 count=1 iflag=fullblock 2>/dev/null)" = abc ]; then
  take() {
    q=$(($1 / 1048576)) r=$(($1 % 1048576))
    { [ $q = 0 ] || dd bs=1048576 count=$q iflag=fullblock 2>/dev/null; } && { [ $r = 0 ] || dd bs=$r count=1 iflag=fullblock 2>/dev/null; }
  }
elif [ "$(printf 'a\\nb\\n' | { head -c 2 >/dev/null; cat; })" = b ]; then
  take() { head -c "$1"; }
elif [ $last -gt 0 ]; then fail tool dd
fi
# What follows the last blob is the end of the input.
input() { if [ "$1" = $last ]; then cat; else take "$2"; fi; }
need=0
want() { if [ "$(size "$s/$2")" = "$3" ]; then echo "@@have $1"; else need=$((need + $3)); fi; }
${calls('want').join('\n')}
free=$(room)
[ -z "$free" ] || [ "$need" -le "$free" ] || fail full "$need" "$free"
blob() {
  if [ "$(size "$s/$2")" = "$3" ]; then input "$1" "$3" >/dev/null; return; fi
  if [ -z "$fast" ] && [ "$3" -ge ${LARGE_BYTES} ]; then
    # A slow hash runs beside the transfer. What tee says when it cannot write goes the way of the digest, before it.
    h=$( { input "$1" "$3" | tee "$t/blob" 2>&3 | sum "$3" 3>&-; } 3>&1 )
    case $h in *"$nl"*) broken "\${h%"$nl"*}";; esac
  else
    # A quick one reads what just went into the page cache: less than half the work of a second pipe for every byte.
    if [ "$1" = $last ]; then e=$( { cat >"$t/blob"; } 2>&1 ); else e=$( { take "$3" | cat >"$t/blob"; } 2>&1 ); fi
    [ -z "$e" ] || broken "$e"
    h=$(sum "$3" <"$t/blob")
  fi
  n=$(size "$t/blob")
  [ "$n" = "$3" ] || fail short "$1" "$n"
  [ "\${h%% *}" = "$2" ] || fail digest "$1" "\${h%% *}"
  e=$( { chmod 0644 "$t/blob" && mv -f "$t/blob" "$s/$2"; } 2>&1) || broken "$e"
  echo "@@done $1"
}
${calls('blob').join('\n')}
# On its way to the disk while the next step runs; nobody waits for it.
( sync "$s"/* || sync ) </dev/null >/dev/null 2>&1 &
exit 0
`
}
