import { quote } from './quote.js'
import { LOCK, STATE_DIR } from './state-paths.js'

/** Who works on a machine: one owner for all steps and all machines of one operation. */
export interface LockOwner {
  /** Random: tells this operation from every other. */
  readonly id: string
  /** For people: `ann@laptop`. */
  readonly who: string
  /** For people: `run`. */
  readonly operation: string
  /** When it began: ISO 8601, by the operator's clock. */
  readonly since: string
}

/** What the probe found of a lock. */
export interface LockFact extends LockOwner {
  /** Whether the connection of its owner lives; else it only tells who was here last. */
  readonly held: boolean
}

/** How long a connection may be silent and still count: keepalives of SSH come every 15 seconds, and after three the operator gives up. */
const SILENT_MS = 40_000

/**
 * Functions of the lock, for the probe and for scripts that take it.
 *
 * A lock belongs to the connection that took it: it names the server process of that connection, so it ends when the
 * operator is done or is killed, and nothing has to be cleaned up. Process ids come round again, hence the start time and
 * the boot. A connection that has heard nothing for long is half open: its operator lost power, or a cable.
 */
export const LOCK_FUNCTIONS = `
lock_stat() { { read -r lock_line <"/proc/$1/stat"; } 2>/dev/null; }
lock_started() { lock_stat "$1" || return 1; set -- \${lock_line##*) }; echo "\${20}"; }
lock_boot() { { read -r lock_line </proc/sys/kernel/random/boot_id; } 2>/dev/null && echo "$lock_line"; }
lock_anchor() { # the server process of this connection; 0 where it is of no known kind: such a lock holds nobody back
  lock_pid=$$
  while [ "\${lock_pid:-0}" -gt 1 ] && lock_stat "$lock_pid"; do
    case \${lock_line#*'('} in sshd* | dropbear*) echo "$lock_pid"; return ;; esac
    set -- \${lock_line##*) }
    lock_pid=$2
  done
  echo 0
}
lock_read() {
  lock_id= lock_place= lock_who= lock_since= lock_what=
  if [ -f ${LOCK} ]; then { read -r lock_id; read -r lock_place; read -r lock_who; read -r lock_since; read -r lock_what; } <${LOCK}; fi
}
lock_alive() {
  set -- $lock_place
  if [ "\${1:-0}" -le 1 ] || [ "\${3:-}" != "$(lock_boot)" ] || [ "\${2:-}" != "$(lock_started "$1")" ]; then return 1; fi
  lock_silent=$(ss -Htnpi 2>/dev/null | grep -A 1 -F ",pid=$1," | sed -n 's/.*lastrcv:\\([0-9]*\\).*/\\1/p' | sort -n | head -n 1)
  [ "\${lock_silent:-0}" -lt ${SILENT_MS} ]
}
`

/** What {@link lockScript} needs beside the owner. */
export interface LockTerms {
  /** The id that the probe found; absent: it found no lock. Anything else now means that somebody worked here since. */
  readonly seen?: string
  /** The machine could not be looked into before, such as a container that did not run: any lock that is free is taken. */
  readonly unseen?: boolean
  /** The process that stands for the connection where there is none: the operator's own, on this computer. */
  readonly pid?: number
}

/**
 * POSIX sh that goes ahead of a script which changes the machine: takes the lock, or prints `@@fail E_LOCKED …` and ends.
 * Whoever holds it already goes on. Where nothing can be written it says nothing: the script itself will tell why.
 */
export function lockScript(owner: LockOwner, terms: LockTerms): string {
  const [id, who, since, what] = [owner.id, owner.who, owner.since, owner.operation].map(line)
  return `PATH="$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
${LOCK_FUNCTIONS.trim()}
lock_refuse() { printf '@@fail E_LOCKED %s\\n@@hint %s\\n' "$1" "$2"; exit 1; }
lock_take() {
  lock_read
  if [ "$lock_id" != ${id} ] && lock_alive; then return 98; fi
  ${terms.unseen ? '' : `case $lock_id in ${id} | ${line(terms.seen ?? '')}) ;; *) return 97 ;; esac`}
  lock_pid=${terms.pid ?? '$(lock_anchor)'}
  [ "$lock_id \${lock_place%% *}" != ${id}" $lock_pid" ] || return 0
  { printf '%s\\n' ${id} "$lock_pid $(lock_started "$lock_pid") $(lock_boot)" ${who} ${since} ${what} >${LOCK}.$$ && mv -f ${LOCK}.$$ ${LOCK}; } 2>/dev/null || rm -f ${LOCK}.$$ 2>/dev/null
}
if mkdir -p ${STATE_DIR} 2>/dev/null && chmod 0700 ${STATE_DIR} 2>/dev/null; then
  lock_n=0
  while :; do
    # Two that come at the same moment take turns; a turn ends with the parentheses.
    ( ! command -v flock >/dev/null 2>&1 || flock 9; lock_take ) 9<${STATE_DIR}
    lock_end=$?
    # The end of a connection takes its server a moment.
    if [ $lock_end = 98 ] && [ $lock_n -lt 10 ]; then lock_n=$((lock_n + 1)); sleep 0.3 2>/dev/null || sleep 1; else break; fi
  done
  lock_read
  case $lock_end in
    97) lock_refuse "\${lock_who:-somebody} has changed this machine since this command looked at it: airlift \${lock_what:-reset}" "run the same command again: it looks anew" ;;
    98) lock_refuse "$lock_who is working on this machine: airlift $lock_what, since $lock_since" "wait until it is done, then run the same command again" ;;
  esac
fi
`
}

/** A text as one quoted word on one line. */
function line(text: string): string {
  return quote(text.replaceAll(/[^\x20-\x7e]+/g, '?').slice(0, 200))
}
