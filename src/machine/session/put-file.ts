import { randomBytes } from 'node:crypto'
import { posix } from 'node:path'
import { AirliftError } from '../../core/errors.js'
import type { PutRequest, RunResult } from '../machine.js'
import { quote } from '../quote.js'
import { tail } from './sudo.js'

/** From here on it pays to look for openssl, which hashes several times as fast as coreutils where it uses the processor's SHA instructions. */
const LARGE_BYTES = 8 << 20

/** Exit codes of the upload script. */
const EXIT = { temp: 71, write: 72, short: 73, digest: 74, rename: 75, noHash: 76, directory: 77 } as const

/**
 * The script that receives a file: writes beside the target, hashes, compares, and only then gives the file its mode and
 * its name. Whatever goes wrong, the temporary file is removed; when the connection breaks, standard input ends early and
 * the size tells.
 *
 * Hashing while writing (tee) hides the hash behind the network, at the price of small reads and pipes: for 400 MB 0.9 s of
 * processor time against 0.4 s for reading the file again from the page cache. With a quick hash and few processors the second is shorter.
 */
export function putScript(request: PutRequest): string {
  const dir = posix.dirname(request.path)
  const name = posix.basename(request.path).slice(0, 100)
  const temp = posix.join(dir, `.${name}.airlift-${randomBytes(6).toString('hex')}`)
  const openssl = request.sizeBytes >= LARGE_BYTES
  return [
    `d=${quote(dir)} f=${quote(request.path)} t=${quote(temp)} later=`,
    `[ -d "$f" ] && { echo "$f is a directory" >&2; exit ${EXIT.directory}; }`,
    ...(openssl
      ? [
          'if openssl dgst -sha256 -r </dev/null >/dev/null 2>&1; then',
          '  sum() { openssl dgst -sha256 -r; }',
          '  [ "$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 1)" -ge 4 ] || later=1',
          'elif command -v sha256sum >/dev/null 2>&1; then sum() { sha256sum; }',
        ]
      : ['if command -v sha256sum >/dev/null 2>&1; then sum() { sha256sum; }; later=1']),
    'elif command -v openssl >/dev/null 2>&1; then sum() { openssl dgst -sha256 -r; }',
    'elif command -v shasum >/dev/null 2>&1; then sum() { shasum -a 256; }',
    `else exit ${EXIT.noHash}; fi`,
    `[ -d "$d" ] || mkdir -p "$d" || exit ${EXIT.temp}`,
    "trap 'rm -f \"$t\"' EXIT; trap 'exit 70' HUP INT TERM PIPE",
    `(umask 077; : >"$t") || exit ${EXIT.temp}`,
    // In a pipe the exit status of tee is lost, so a failure is written where the digest is read; no digest holds the word.
    'if [ "$later" ]; then h=$(cat >"$t" && sum <"$t" || echo FAILED)',
    'else h=$({ tee "$t" || echo FAILED >&3; } 3>&1 | sum 3>&-); fi',
    `case $h in *FAILED*) df -Pk "$d" | tail -n 1; exit ${EXIT.write};; esac`,
    'n=$(wc -c <"$t")',
    `[ "$n" -eq ${request.sizeBytes} ] || { echo "$((n))"; exit ${EXIT.short}; }`,
    'h=${h%% *}',
    `[ "$h" = ${quote(request.sha256)} ] || { echo "$h"; exit ${EXIT.digest}; }`,
    `chmod ${quote(request.mode)} "$t" && mv -f "$t" "$f" || exit ${EXIT.rename}`,
    'trap - EXIT',
  ].join('\n')
}

/** Whether stderr of the upload script says that going on is of no use: the disk is full, or cannot be written. */
export function isHopeless(stderr: string): boolean {
  return /no space left|read-only file system|quota exceeded|file too large|input\/output error/i.test(stderr)
}

/** The error that a finished upload script stands for; undefined when the file is in place. */
export function putError(request: PutRequest, result: RunResult, machine: string): AirliftError | undefined {
  if (result.exitCode === 0) return undefined
  const { path } = request
  const log = tail(result.stderr)
  const details = { machine, log }
  if (/no space left|quota exceeded/i.test(result.stderr)) return diskFull(request, result, machine)
  if (/read-only file system/i.test(result.stderr)) {
    return new AirliftError('E_READ_ONLY', `cannot write ${path}: the file system is read-only`, {
      ...details,
      hint: 'remount it writable, or choose a directory that is writable',
    })
  }
  if (/permission denied|operation not permitted/i.test(result.stderr)) {
    return new AirliftError('E_COMMAND', `cannot write ${path}: permission denied`, {
      ...details,
      hint: 'connect as root or as a user with sudo; look for an immutable flag with lsattr',
    })
  }
  switch (result.exitCode) {
    case EXIT.digest:
      return new AirliftError(
        'E_DIGEST_MISMATCH',
        `${path} arrived as sha256 ${result.stdout.trim()}, not ${request.sha256}`,
        { ...details, hint: 'verify the source (airlift rootfs verify), then run the same command again' },
      )
    case EXIT.short:
      return new AirliftError(
        'E_DIGEST_MISMATCH',
        `${path} arrived with ${result.stdout.trim()} bytes of ${request.sizeBytes}`,
        { ...details, hint: 'the source changed or the connection broke; run the same command again' },
      )
    case EXIT.noHash:
      return new AirliftError('E_COMMAND', 'there is no sha256sum, openssl or shasum', {
        ...details,
        hint: 'install coreutils or openssl on the machine',
      })
    case EXIT.directory:
      return new AirliftError('E_COMMAND', `cannot write ${path}: it is a directory`, {
        ...details,
        hint: 'remove the directory or choose another path',
      })
    default:
      return new AirliftError('E_COMMAND', `cannot write ${path} (exit ${result.exitCode})`, {
        ...details,
        hint: 'look at the last lines above for what the machine said',
      })
  }
}

function diskFull(request: PutRequest, result: RunResult, machine: string): AirliftError {
  // POSIX df -Pk: device, 1024-blocks, used, available, capacity, mount point.
  const fields = result.stdout.trim().split(/\s+/)
  const freeKib = Number(fields.at(3))
  const known = Number.isFinite(freeKib) && fields.length >= 6
  const where = known ? ` on ${fields.at(5)}, of which ${Math.floor(freeKib / 1024)} MiB are free` : ''
  return new AirliftError(
    'E_DISK_FULL',
    `no room for ${request.path} (${Math.ceil(request.sizeBytes / (1 << 20))} MiB)${where}`,
    {
      machine,
      hint: `free some space below ${known ? fields.at(5) : posix.dirname(request.path)} and run the same command again`,
      log: tail(result.stderr),
      data: {
        path: request.path,
        sizeBytes: request.sizeBytes,
        ...(known ? { freeBytes: freeKib * 1024 } : {}),
      },
    },
  )
}
