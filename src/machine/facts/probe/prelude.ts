/**
 * Start of the probe: how its lines are written. A fact is `key<TAB>value…`; text that came from elsewhere is a block: a line
 * `<name<TAB>fence`, the text as it is, a line `>fence`. The fence is new for each probe, so nothing in a file or in a tool's
 * output can pass for a fact. Every process counts here, since the probe is most of what a command costs a machine: what the
 * shell can do by itself starts none.
 */
export function preludeSection(fence: string): string {
  return String.raw`
LC_ALL=C; LANG=C; export LC_ALL LANG
PATH=$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin; export PATH
fence=${fence}
nl='
'
has() { command -v "$1" >/dev/null 2>&1; }
kv() { printf '%s\t%s\n' "$1" "$2"; }
if has timeout; then limit() { timeout "$@"; }; else limit() { shift; "$@"; }; fi
open() { printf '<%s\t%s\n' "$1" "$fence"; }
shut() { printf '\n>%s\n' "$fence"; }
text() { open "$1"; printf '%s\n' "$2"; shut; }
send() { if [ -r "$2" ]; then open "$1"; cat "$2" 2>/dev/null; shut; fi; }
# The first line of the first file that has one, in $line. Not for numbers in /proc/sys: they are read in one piece or cut off.
first() {
  for first_file in "$@"; do
    line=
    { IFS= read -r line <"$first_file"; } 2>/dev/null
    if [ -n "$line" ]; then return 0; fi
  done
  line=
  return 1
}
`
}
