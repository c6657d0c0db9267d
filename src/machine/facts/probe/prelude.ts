/**
 * Start of the probe: how its lines are written. A fact is `key<TAB>value…`; text that came from elsewhere is a block
 * (`<name<TAB>b64`, lines, `>`), so that nothing in a file or in a tool's output can pass for a fact.
 */
export const preludeSection = String.raw`
LC_ALL=C; LANG=C; export LC_ALL LANG
PATH=$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin; export PATH
has() { command -v "$1" >/dev/null 2>&1; }
kv() { printf '%s\t%s\n' "$1" "$2"; }
if has timeout; then limit() { timeout "$@"; }; else limit() { shift; "$@"; }; fi
if has base64; then encoding=b64; encode() { base64; }
else encoding=hex; encode() { od -An -v -tx1; }; fi
block() { printf '<%s\t%s\n' "$1" "$encoding"; encode; printf '>\n'; }
send() { if [ -r "$2" ]; then cat "$2" 2>/dev/null | block "$1"; fi; }
first() {
  for first_file in "$@"; do
    first_line=$(head -n 1 "$first_file" 2>/dev/null)
    if [ -n "$first_line" ]; then printf '%s\n' "$first_line"; return 0; fi
  done
  return 1
}
now() { date +%s%N; }
`
