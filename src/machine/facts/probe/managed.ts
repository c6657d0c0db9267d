import { LOCK_FUNCTIONS } from '../../lock-script.js'
import { quote, quoteAll } from '../../quote.js'
import { BLOB_DIR, COPY_DIR, JOURNAL, RECORD } from '../../state-paths.js'

/** What airlift and the runtime have there: blobs, files, services, journal, record, lock. */
export function managedSection(files: readonly string[], units: readonly string[]): string {
  return `
store=${BLOB_DIR}
blobs=$(ls -lin "$store" 2>/dev/null)
text blobs "$blobs"
${files.length === 0 ? '' : filesText(files)}
${units.length === 0 ? '' : unitsText(units)}
send journal ${JOURNAL}
send record ${RECORD}
${LOCK_FUNCTIONS.trim()}
lock_read
if [ -n "$lock_id" ]; then
  if lock_alive; then lock_held=yes; else lock_held=no; fi
  text lock "$lock_id$nl$lock_held$nl$lock_who$nl$lock_since$nl$lock_what"
fi
`
}

/** One `ls` tells of all files, one `sha256sum` of those whose digest no blob and no stamp tells. */
function filesText(files: readonly string[]): string {
  // A line ends with the path: the longest that fits is the one, should a path hold a blank and end like another.
  const longestFirst = files
    .map((path, index) => ({ path, index }))
    .sort((a, b) => b.path.length - a.path.length)
  const cases = longestFirst.map(({ path, index }) => {
    const copy = `${COPY_DIR}/${path.replaceAll('/', '%')}`
    return `*${quote(` ${path}`)}) index=${index} path=${quote(path)} copy=${quote(copy)} ;;`
  })
  return String.raw`
file() {
  sum= blob=
  if [ -f "$path" ]; then
    if [ "$3" -gt 1 ] 2>/dev/null; then
      case $inodes in *"$nl$1 "*)
        blob=${'${inodes#*"$nl$1 "}'}
        blob=${'${blob%%"$nl"*}'}
        [ "$store/$blob" -ef "$path" ] || blob=
      esac
    fi
    # A copy of a blob on another file system was stamped when it was made; the inode's change time tells every change since.
    if [ -z "$blob" ] && read -r want stamp 2>/dev/null <"$copy" && [ "$stamp" = "$(stat -L -c '%i %s %Z' "$path" 2>/dev/null)" ]; then blob=$want; fi
    if [ -z "$blob" ] && [ "$6" -le 1048576 ] 2>/dev/null; then sum=1; fi
  fi
  printf 'file\t%s\t%s\t%s\t%s\t%s\n' "$index" "$1" "$2" "$6" "$blob"
}
files() {
  set -f
  IFS=$nl
  inodes=$nl
  for line in $blobs; do
    name=${'${line##* }'}
    line=${'${line#"${line%%[! ]*}"}'}
    inodes=$inodes${'${line%% *}'}' '$name$nl
  done
  for line in $(ls -lindL "$@" 2>/dev/null); do
    index=
    case $line in
${cases.map((text) => `      ${text}`).join('\n')}
    esac
    if [ -n "$index" ]; then
      IFS=' '
      file $line
      IFS=$nl
      if [ -n "$sum" ]; then set -- "$@" "$path"; fi
    fi
  done
  shift ${files.length}
  unset IFS
  set +f
  if [ $# -gt 0 ]; then open sums; sha256sum "$@" 2>/dev/null; shut; fi
}
files ${quoteAll(files)}
`
}

function unitsText(units: readonly string[]): string {
  const openrc = units.map((unit) => unit.replace(/\.service$/, ''))
  return String.raw`
if [ -d /run/systemd/system ] && has systemctl; then
  open units
  limit 10 systemctl show -p Id -p LoadState -p UnitFileState -p ActiveState -p SubState -p NRestarts ${quoteAll(units)} 2>/dev/null
  shut
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

/** First deadline of all fragments together, in deadlines of one: most ask a server that answers at once, or not at all. */
const TOGETHER = 3

/**
 * Scripts of the runtime, in one shell with a deadline for all. One that hangs is given its own deadline again in the next
 * shell, which goes on from there; what it wrote is kept. The text reaches that shell on standard input, not in argv. Its
 * output, and the numbers of the fragments that it began, are read up to an end line, so that a grandchild which outlives the
 * deadline and keeps a pipe open cannot hang the probe, or write into what comes after. Empty lines follow the end line because sed reads ahead
 * before it quits.
 */
export function fragmentsSection(
  fragments: Readonly<Record<string, string>>,
  seconds: number,
  fence: string,
): string {
  const entries = Object.entries(fragments)
  if (entries.length === 0) return ''
  return String.raw`
if has timeout; then bounded() { timeout -s KILL "$@"; }; else bounded() { shift; "$@"; }; fi
fragments() {
  bounded "$1" sh -s "$2" <<'${fence}'
first=$1
fragment() {
  [ "$1" -ge "$first" ] || return 0
  printf ' %s' "$1" >&3
  printf '<fragment.%s\t%s\n' "$2" ${fence}
  (exec 3>&-; eval "$3")
  printf '\n>%s\n' ${fence}
}
all() {
${entries.map(([name, script], index) => `fragment ${index} ${quote(name)} ${quote(script)}`).join('\n')}
printf ' all' >&3
}
all </dev/null 2>/dev/null
${fence}
}
upToEnd() { sed -n -e p -e "/^$fence-end\$/q"; }
{
  seconds=${seconds * TOGETHER}
  at=0
  while [ "$at" -lt ${entries.length} ]; do
    begun=$({
      {
        {
          fragments "$seconds" "$at" 3>&1 1>&5 4>&- 5>&- 6>&-
          # A reader that has seen its end line is gone before the empty lines come.
          trap '' PIPE
          printf '\n>%s\n%s-end\n\n\n' "$fence" "$fence" >&5
          printf '\n%s-end\n\n\n' "$fence"
        } 2>/dev/null | upToEnd >&6
      } 5>&1 | upToEnd >&4
    } 6>&1)
    begun=${'${begun%%"$nl"*}'}
    last=${'${begun##* }'}
    case $last in
      all) break ;;
      '' | "$at") at=$((at + 1)) ;;
      *) at=$last ;;
    esac
    seconds=${seconds}
  done
} 4>&1
`
}
