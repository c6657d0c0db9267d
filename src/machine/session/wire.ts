import { randomBytes } from 'node:crypto'
import { quote } from '../quote.js'

/**
 * How a script travels. Every command line that airlift sends is the same short {@link BOOT}: it reads one line from
 * standard input and evaluates it. What follows on standard input is: a line that becomes root where that is wanted, a
 * line that loads the script, the script, the word that ends it, and then the data of the caller. So nothing but BOOT is
 * ever seen in a process listing, in a shell history or in the log of sudo.
 *
 * Only builtins read from standard input: `read` takes a pipe byte by byte in dash, bash and busybox alike, while `head -c`
 * and `sh -s` may read ahead and swallow data. A script without data is read by `cat`, which is quicker and may read it all.
 *
 * BOOT holds no newline, backslash or exclamation mark, because the login shell that parses it may be csh or fish.
 */
export const BOOT = `exec /bin/sh -c 'IFS= read -r l; eval "$l"'`

/** What BOOT runs, for where no login shell is between: the arguments of /bin/sh. */
export const BOOT_ARGS = ['-c', 'IFS= read -r l; eval "$l"'] as const

/** How a script becomes root. `password` lets sudo ask; its prompt is answered on standard input. */
export type Elevation = 'none' | 'sudo' | 'sudo-password' | 'always' | 'always-password' | 'never'

/** A word that marks what is ours in the output; new for each script so that no output can imitate it. */
export function createNonce(): string {
  return `airlift-${randomBytes(12).toString('hex')}`
}

/** The prompt that sudo prints when it wants the password. */
export function sudoPrompt(nonce: string): string {
  return `${nonce}-password:`
}

/** Printed on stdout when sudo is content and the script may be sent. */
export function readyWord(nonce: string): string {
  return `${nonce}-ready`
}

/** The first line: goes on as root, or under sudo, or says why not. */
export function elevationLine(nonce: string, elevation: Elevation): string {
  const on = 'IFS= read -r l; eval "$l"'
  if (elevation === 'none') return on
  const say = (word: string): string => `printf '%s\\n' '${nonce} ${word}'; exit 126`
  if (elevation === 'never') return `if [ "$(id -u)" = 0 ]; then ${on}; else ${say('never')}; fi`
  const asks = elevation.endsWith('password')
  const flags = asks ? `-S -p '${sudoPrompt(nonce)}'` : '-n'
  // Where a password may be asked for, nothing more is sent before this word says that it is over: a sudo that has been
  // given a wrong one would try the lines of the script as passwords.
  const goOn = asks ? `echo ${readyWord(nonce)}; ${on}` : on
  // sudo's messages are told apart by their text, hence the C locale.
  const sudo =
    `LC_ALL=C; export LC_ALL; PATH="$PATH:/usr/local/bin:/usr/bin:/bin"; command -v sudo >/dev/null 2>&1 || { ${say('nosudo')}; }; ` +
    `exec sudo ${flags} -- /bin/sh -c '${goOn}'`
  if (elevation.startsWith('always')) return sudo
  return `if [ "$(id -u)" = 0 ]; then ${goOn}; else ${sudo}; fi`
}

const SYSTEM_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

/**
 * The second line: says that the script starts (with the session that its processes belong to, for {@link killScript}),
 * reads the script and runs it. A script that arrives cut off is not run.
 */
export function loaderLine(nonce: string, hasData: boolean): string {
  const parts = [
    // Debian gives users no sbin, and sudo's secure_path on the RHEL family lacks /usr/local/bin.
    `LC_ALL=C; PATH="$PATH:${SYSTEM_PATH}"; export LC_ALL PATH`,
    // The sixth field of stat is the session: every process of the script has it, whatever its group.
    'al_s=; read -r al_x al_x al_x al_x al_x al_s al_x </proc/$$/stat 2>/dev/null',
    `printf '\\n%s\\n' "${nonce} go $al_s"; printf '\\n%s\\n' '${nonce} go' >&2`,
  ]
  if (hasData) {
    parts.push(
      `al_n=$(printf '\\nx'); al_n=\${al_n%x}; al_s=`,
      `while :; do IFS= read -r l || exit 125; [ "$l" = '${nonce} end' ] && break; al_s="$al_s$l$al_n"; done`,
      'eval "$al_s"',
    )
  } else {
    parts.push(
      'al_s=$(cat)',
      `case $al_s in *'${nonce} end') ;; *) exit 125;; esac`,
      'exec </dev/null',
      `eval "\${al_s%'${nonce} end'}"`,
    )
  }
  return parts.join('; ')
}

/**
 * The command line of an interactive command. Here the command is in argv: the user wrote it, and standard input is the
 * user's own. sudo asks on the terminal itself.
 */
export function interactiveCommand(command: string, elevation: Elevation): string {
  const shell = `exec /bin/sh -c ${quote(command)}`
  if (elevation === 'none' || elevation === 'never') return shell
  const sudo = `exec sudo -- /bin/sh -c ${quote(command)}`
  const script = elevation.startsWith('always')
    ? sudo
    : `if [ "$(id -u)" = 0 ]; then ${shell}; else ${sudo}; fi`
  return `exec /bin/sh -c ${quote(script)}`
}

/** What follows the elevation line: the loader, the script, its end. */
export function body(nonce: string, script: string, hasData: boolean): string {
  return `${loaderLine(nonce, hasData)}\n${script}\n${nonce} end\n`
}

/**
 * Ends every process of a session, first kindly. The session is looked for rather than the process group, since
 * `timeout` and shells with job control make groups of their own.
 */
export function killScript(session: number): string {
  return [
    'each() {',
    '  for f in /proc/[0-9]*/stat; do',
    '    { read -r l <"$f"; } 2>/dev/null || continue',
    '    p=${f#/proc/}; p=${p%/stat}; l=${l##*) }; set -- $l',
    `    [ "$4" = ${session} ] && { kill -"$k" "$p" 2>/dev/null; n=1; }`,
    '  done',
    '}',
    'n=; k=TERM; each',
    'if [ -n "$n" ]; then sleep 1; k=KILL; each; fi',
    'exit 0',
  ].join('\n')
}
