import { LOCK_FUNCTIONS } from '../../lock-script.js'
import { quote, quoteAll } from '../../quote.js'
import { BLOB_DIR, COPY_DIR, JOURNAL, RECORD } from '../../state-paths.js'

/** Ends a fragment's output; its exit code follows. */
export const FRAGMENT_END = 'airlift-fragment-end'

/** What airlift and the runtime have there: blobs, files, services, journal, record, lock. */
export function managedSection(files: readonly string[], units: readonly string[]): string {
  return String.raw`
store=${BLOB_DIR}
blobs=$(ls -lin "$store" 2>/dev/null)
printf '%s\n' "$blobs" | block blobs
file() {
  listing=$(ls -lindL "$2" 2>/dev/null) || return 0
  set -- "$1" "$2" $listing
  sum= blob=
  if [ -f "$2" ]; then
    if [ "$5" -gt 1 ] 2>/dev/null; then
      for candidate in $(printf '%s\n' "$blobs" | sed -n "s/^ *$3 .* \([0-9a-f]\{64\}\)\$/\1/p"); do
        if [ "$store/$candidate" -ef "$2" ]; then blob=$candidate; fi
      done
    fi
    # A copy of a blob on another file system was stamped when it was made; the inode's change time tells every change since.
    copy=${COPY_DIR}/$(printf %s "$2" | tr / %)
    if [ -z "$blob" ] && read -r want stamp 2>/dev/null <"$copy" && [ "$stamp" = "$(stat -L -c '%i %s %Z' "$2" 2>/dev/null)" ]; then blob=$want; fi
    if [ -n "$blob" ]; then sum=$blob
    elif [ "$8" -le 1048576 ] 2>/dev/null; then sum=$(sha256sum <"$2" 2>/dev/null); sum=${'${sum%% *}'}; fi
  fi
  printf 'file\t%s\t%s\t%s\t%s\t%s\t%s\n' "$1" "$3" "$4" "$8" "$sum" "$blob"
}
${files.map((path, index) => `file ${index} ${quote(path)}`).join('\n')}
${units.length === 0 ? '' : unitsText(units)}
send journal ${JOURNAL}
send record ${RECORD}
${LOCK_FUNCTIONS.trim()}
lock_read
if [ -n "$lock_id" ]; then
  if lock_alive; then lock_held=yes; else lock_held=no; fi
  printf '%s\n' "$lock_id" "$lock_held" "$lock_who" "$lock_since" "$lock_what" | block lock
fi
`
}

function unitsText(units: readonly string[]): string {
  const openrc = units.map((unit) => unit.replace(/\.service$/, ''))
  return String.raw`
if [ -d /run/systemd/system ] && has systemctl; then
  limit 10 systemctl show -p Id -p LoadState -p UnitFileState -p ActiveState -p SubState -p NRestarts ${quoteAll(units)} 2>/dev/null | block units
elif has rc-service; then
  for unit in ${quoteAll(openrc)}; do
    loaded=0 enabled=0 active=inactive
    if [ -e "/etc/init.d/$unit" ]; then
      loaded=1
      for level in /etc/runlevels/*/"$unit"; do if [ -e "$level" ] || [ -L "$level" ]; then enabled=1; fi; done
      if status=$(limit 5 rc-service "$unit" status 2>&1); then active=active
      else case $status in *crashed*) active=failed ;; *starting*) active=activating ;; esac; fi
    fi
    printf 'unit\t%s\t%s\t%s\t%s\n' "$unit" "$loaded" "$enabled" "$active"
  done
fi
`
}

/**
 * Scripts of the runtime, each in its own shell with a deadline. The text reaches that shell on standard input, not in argv.
 * Output is read up to an end line, so that a grandchild which outlives the deadline and keeps the pipe open cannot hang the
 * probe. Empty lines follow it because sed reads ahead before it quits.
 */
export function fragmentsSection(fragments: Readonly<Record<string, string>>, seconds: number): string {
  const entries = Object.entries(fragments)
  if (entries.length === 0) return ''
  const runner = `'fragment=$(cat); exec </dev/null; eval "$fragment"'`
  return String.raw`
if has timeout; then bounded() { timeout -s KILL "$@"; }; else bounded() { shift; "$@"; }; fi
fragment() {
  { bounded ${seconds} sh -c ${runner} 2>/dev/null; printf '\n%s %s\n\n\n' ${FRAGMENT_END} "$?"; } |
    sed -n -e p -e '/^${FRAGMENT_END} [0-9]*$/q' | block "fragment.$1"
}
${entries.map(([name, script], index) => fragmentText(name, script, index)).join('\n')}
`
}

function fragmentText(name: string, script: string, index: number): string {
  let end = `AIRLIFT_FRAGMENT_${index}`
  while (script.includes(end)) end += '_'
  return `fragment ${quote(name)} <<'${end}'\n${script.replace(/\n$/, '')}\n${end}`
}
