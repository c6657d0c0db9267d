import { createHash } from 'node:crypto'
import { posix } from 'node:path'
import { quote } from '../machine/quote.js'
import { BLOB_DIR, COPY_DIR, JOURNAL, STATE_DIR } from '../machine/state-paths.js'
import { fillSecrets, type Secrets } from './fill-secrets.js'
import type { Action } from './plan.js'

/** What every compiled script begins with. `fail CODE MESSAGE [HINT]` raises a typed error on the operator's side. */
const PRELUDE = `set -u
umask 022
export LC_ALL=C
PATH="$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
fail() { printf '@@fail %s %s\\n' "$1" "$2"; [ -z "\${3:-}" ] || printf '@@hint %s\\n' "$3"; exit 1; }
nap() { sleep "$1" 2>/dev/null || sleep 1; }
sha256() { if command -v sha256sum >/dev/null 2>&1; then sha256sum < "$1"; else openssl dgst -sha256 -r < "$1"; fi | cut -d ' ' -f 1; }
put_check() { # TEMP PATH: why a write failed
  rm -f "$1" 2>/dev/null
  d=$(dirname "$2")
  if [ "$(df -Pk "$d" 2>/dev/null | awk 'NR==2{print ($4<64)}')" = 1 ]; then fail E_DISK_FULL "no space left to write $2" "free some space in $d and run the same command again"; fi
  if ! ( : > "$d/.airlift-probe" ) 2>/dev/null; then fail E_READ_ONLY "cannot write $2: $d is read-only" "mount it read-write"; fi
  rm -f "$d/.airlift-probe"
  fail E_COMMAND "cannot write $2"
}
replace() { # TEMP PATH MODE: rename into place, unless it is there already
  chmod "$3" "$1" || put_check "$1" "$2"
  if [ -f "$2" ] && cmp -s "$1" "$2"; then chmod "$3" "$2"; rm -f "$1"; else mv -f "$1" "$2" || put_check "$1" "$2"; fi
}
`

/** Compiles neighbouring actions into one POSIX sh script. Secrets are filled in: the text is for the machine only. */
export function compileActions(
  actions: readonly Action[],
  secrets: Secrets,
  journal?: { readonly id: string },
): string {
  const parts = [PRELUDE]
  if (journal) parts.push(journalLine('start', journal.id))
  for (const [index, action] of actions.entries()) {
    parts.push(`printf '@@action %s\\n' ${index}`, compileAction(action, secrets))
  }
  if (journal) parts.push(journalLine('done', journal.id))
  return `${parts.join('\n')}\n`
}

function journalLine(word: 'start' | 'done', id: string): string {
  return `mkdir -p ${STATE_DIR} && chmod 0700 ${STATE_DIR} && printf '%s %s %s\\n' "$(date -u +%Y-%m-%dT%H:%M:%SZ)" ${word} ${quote(id)} >> ${JOURNAL} || put_check ${JOURNAL}.tmp ${JOURNAL}`
}

function compileAction(action: Action, secrets: Secrets): string {
  switch (action.kind) {
    case 'write':
      return compileWrite(action, secrets)
    case 'link':
      return compileLink(action)
    case 'remove':
      return action.paths.map(compileRemove).join('\n')
    case 'script':
      return subshell(fillSecrets(action.script, secrets, quote))
    case 'service':
      return compileService(action)
    case 'wait':
      return compileWait(action, secrets)
    case 'capture':
    case 'stage':
    case 'network':
    case 'volume':
    case 'image':
    case 'container':
      throw new TypeError(`${action.kind} is not compiled into a script`)
  }
}

/** Runs in a subshell, so that its variables and `set` stay its own; `fail` inside still ends the whole script. */
function subshell(script: string): string {
  return `(\n${script}\n) || exit $?`
}

function compileWrite(action: Extract<Action, { kind: 'write' }>, secrets: Secrets): string {
  const filled = fillSecrets(action.content, secrets)
  const content = Buffer.from(filled, action.base64 ? 'base64' : 'utf8')
  const digest = createHash('sha256').update(content).digest('hex')
  const path = quote(action.path)
  const temp = quote(`${action.path}.airlift-tmp`)
  return [
    `mkdir -p ${quote(posix.dirname(action.path))} || put_check ${temp} ${path}`,
    // Base64 carries any content through a here-document; the mask keeps it private until its mode is set.
    `( umask 077; base64 -d > ${temp} ) 2>/dev/null <<'END-OF-FILE' || put_check ${temp} ${path}`,
    ...(content.toString('base64').match(/.{1,76}/g) ?? []),
    'END-OF-FILE',
    `[ "$(sha256 ${temp})" = ${digest} ] || put_check ${temp} ${path}`,
    `replace ${temp} ${path} ${action.mode}`,
  ].join('\n')
}

function compileLink(action: Extract<Action, { kind: 'link' }>): string {
  const blob = `${BLOB_DIR}/${action.sha256}`
  const path = quote(action.path)
  const temp = quote(`${action.path}.airlift-tmp`)
  return [
    `mkdir -p ${quote(posix.dirname(action.path))} || put_check ${temp} ${path}`,
    `[ -f ${blob} ] || fail E_COMMAND "blob ${action.sha256} is not on the machine" "run the same command again"`,
    // Two names of one inode: renaming one over the other would do nothing and leave the temporary name behind.
    `if [ ${path} -ef ${blob} ]; then chmod ${action.mode} ${path}; else`,
    `rm -f ${temp}; ln ${blob} ${temp} 2>/dev/null || cp ${blob} ${temp} 2>/dev/null || put_check ${temp} ${path}`,
    `chmod ${action.mode} ${temp} && mv -f ${temp} ${path} || put_check ${temp} ${path}; fi`,
    // Another file system: hashing the copy at every look would cost seconds, so its inode is remembered.
    `if ! [ ${path} -ef ${blob} ]; then mkdir -p ${COPY_DIR} && printf '%s %s\\n' ${action.sha256} "$(stat -L -c '%i %s %Z' ${path})" > ${COPY_DIR}/${quote(action.path.replaceAll('/', '%'))}; fi`,
  ].join('\n')
}

/** Refuses when something is mounted at or below the path: what is mounted there is not airlift's to delete. */
function compileRemove(path: string): string {
  const word = quote(path)
  return [
    `if awk -v p=${word} '$2 == p || index($2, p "/") == 1 { found = 1 } END { exit !found }' /proc/mounts; then`,
    `fail E_MOUNT "${path} holds a mount" "unmount it first: awk '{print \\$2}' /proc/mounts | grep ${path}"; fi`,
    `rm -rf ${word} || fail E_COMMAND "cannot remove ${path}"`,
  ].join('\n')
}

function compileService(action: Extract<Action, { kind: 'service' }>): string {
  const unit = quote(action.unit)
  const systemd = {
    enable: `systemctl daemon-reload && systemctl enable --quiet ${unit}`,
    // A unit that crashed too often refuses a plain start.
    start: `systemctl reset-failed ${unit} 2>/dev/null; systemctl start --no-block ${unit}`,
    restart: `systemctl reset-failed ${unit} 2>/dev/null; systemctl restart --no-block ${unit}`,
    stop: `systemctl stop ${unit}`,
    disable: `systemctl disable --quiet ${unit}`,
  }
  const openrc = {
    enable: `rc-update add ${unit} default`,
    start: `rc-service ${unit} start`,
    restart: `rc-service ${unit} restart`,
    stop: `rc-service ${unit} stop`,
    disable: `rc-update delete ${unit} default`,
  }
  const command = (action.init === 'systemd' ? systemd : openrc)[action.op]
  return `( ${command} ) >&2 || fail E_START "cannot ${action.op} the service ${action.unit}"`
}

/** What to do where the log does not tell of a cause. */
export const WAIT_LONGER =
  'run the same command again: it goes on where it stopped; --timeout lets it wait longer'

function compileWait(action: Extract<Action, { kind: 'wait' }>, secrets: Secrets): string {
  const seconds = Math.max(1, Math.ceil(action.timeoutMs / 1000))
  const recover = action.recover
  return [
    `try() { ( ${fillSecrets(action.script, secrets, quote)}\n) 2>&1; }`,
    recover ? `lost() { ( ${recover.when}\n) >/dev/null 2>&1; }` : 'lost() { false; }',
    action.before ? `before=$(\n${action.before}\n)` : 'before=',
    `recovered=no; end=$(( $(date +%s) + ${seconds} )); n=0`,
    'while :; do',
    '  out=$(try); rc=$?',
    '  [ $rc = 0 ] && break',
    // A script that knows the cause prints `@@fail` itself.
    `  if [ $rc -ge 10 ]; then printf '%s\\n' "$out" | grep '^@@'; case $out in *@@fail*) exit 1 ;; esac; fail E_START "$(printf '%s' "$out" | tail -n 1)"; fi`,
    '  n=$((n+1))',
    recover
      ? `  if [ $recovered = no ] && [ $((n % 5)) = 0 ] && lost; then recovered=yes; printf '@@note %s\\n' ${quote(recover.title)}; ( ${recover.script}\n) >&2; end=$(( $(date +%s) + ${seconds} )); fi`
      : '  :',
    '  if [ "$(date +%s)" -ge "$end" ]; then',
    // Once more, and now the script says what it knows of the cause, be it hopeless or not.
    '    out=$(late=yes; try) && break',
    '    told() { printf \'%s\\n\' "$out" | sed -n "s/^@@$1 //p" | tail -n 1; }',
    "    why=$(told 'fail [A-Z_]*'); cure=$(told hint)",
    "    printf '%s\\n' \"$out\" | grep '^@@log '",
    `    ( ${action.diagnose || ':'}\n) 2>&1 | tail -n 20 | sed 's/^/@@log /'`,
    `    said=${quote(`not done after ${seconds} s: ${action.what}`)}; longer=${quote(WAIT_LONGER)}`,
    '    fail E_TIMEOUT "$said${why:+: $why}" "${cure:-$longer}"',
    '  fi',
    '  nap 0.2',
    'done',
  ].join('\n')
}
