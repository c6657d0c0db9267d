import { Readable } from 'node:stream'
import { AirliftError, isAirliftError } from '../core/errors.js'
import type { Machine } from '../machine/machine.js'
import { quote } from '../machine/quote.js'
import type { StageBlob } from '../plan/plan.js'
import type { BlobSource } from './manifest.js'

/** The content-addressed store of a machine. */
const STORE = '/var/lib/airlift/blobs/sha256'

/** How blobs are staged. */
export interface StageOptions {
  readonly signal: AbortSignal
  /** Called with the bytes sent so far, at most ten times a second. */
  readonly onProgress: (sentBytes: number) => void
}

/**
 * Puts blobs into a machine's store, all in one round trip. The machine says which it has (an earlier run may have been cut
 * off after its upload), so nothing is sent twice; each is hashed while it is written and renamed only when it is right.
 * @throws AirliftError E_DIGEST_MISMATCH, E_DISK_FULL, E_READ_ONLY, E_BUNDLE_DAMAGED and what `Machine.run` throws
 */
export async function stageBlobs(
  machine: Machine,
  blobs: readonly StageBlob[],
  source: BlobSource,
  options: StageOptions,
): Promise<{ readonly sentBytes: number }> {
  if (blobs.length === 0) return { sentBytes: 0 }
  const feed = new BlobFeed(blobs, source, options)
  const result = await machine
    .run(stageScript(blobs), {
      signal: options.signal,
      timeoutMs: 0,
      stdin: Readable.from(feed.chunks(), { objectMode: false, highWaterMark: 1 << 20 }),
    })
    .catch((error: unknown) => {
      // A blob that is damaged here ends the stream; the machine then only sees a connection that breaks.
      throw feed.failure ?? error
    })
  if (feed.failure) throw feed.failure
  if (result.exitCode !== 0) throw stageError(machine, result.stdout, result.stderr, result.exitCode)
  return { sentBytes: feed.sentBytes }
}

/** Streams the blobs one after the other, and checks each against its digest on the way. */
class BlobFeed {
  sentBytes = 0
  failure: AirliftError | undefined
  readonly #blobs: readonly StageBlob[]
  readonly #source: BlobSource
  readonly #options: StageOptions

  constructor(blobs: readonly StageBlob[], source: BlobSource, options: StageOptions) {
    this.#blobs = blobs
    this.#source = source
    this.#options = options
  }

  async *chunks(): AsyncGenerator<Buffer> {
    let told = 0
    try {
      for (const blob of this.#blobs) {
        let size = 0
        for await (const chunk of this.#source.openBlob(blob.sha256)) {
          const bytes = chunk as Buffer
          size += bytes.length
          this.sentBytes += bytes.length
          yield bytes
          const now = Date.now()
          if (now - told > 100) {
            told = now
            this.#options.onProgress(this.sentBytes)
          }
        }
        if (size !== blob.sizeBytes) throw damaged(blob, this.#source)
      }
      this.#options.onProgress(this.sentBytes)
    } catch (error) {
      this.failure = isAirliftError(error)
        ? error
        : new AirliftError('E_BUNDLE_DAMAGED', error instanceof Error ? error.message : String(error), {
            cause: error,
          })
      throw this.failure
    }
  }
}

function damaged(blob: StageBlob, source: BlobSource): AirliftError {
  return new AirliftError(
    'E_BUNDLE_DAMAGED',
    `${source.describeBlob(blob.sha256)} is damaged: its content is not sha256:${blob.sha256}`,
    {
      hint: 'copy or build the bundle again; see the whole damage with airlift rootfs verify',
    },
  )
}

/**
 * Receives the blobs in their order. dd with full blocks reads exactly what a blob has, under GNU and busybox alike
 * (busybox' head reads ahead); openssl hashes four times as fast as coreutils where the processor helps.
 */
function stageScript(blobs: readonly StageBlob[]): string {
  return `set -u
s=${STORE}
mkdir -p "$s" 2>/dev/null || { echo "readonly ${STORE}"; exit 73; }
chmod 0700 /var/lib/airlift
rm -f "$s"/.incoming-*
if openssl dgst -sha256 -r /dev/null >/dev/null 2>&1; then sum() { openssl dgst -sha256 -r "$1"; }; else sum() { sha256sum "$1"; }; fi
take() { # SIZE: copies exactly so many bytes from stdin to stdout
  q=$(($1 / 1048576)); r=$(($1 % 1048576))
  [ $q = 0 ] || dd bs=1048576 count=$q iflag=fullblock 2>/dev/null || return 1
  [ $r = 0 ] || dd bs=$r count=1 iflag=fullblock 2>/dev/null
}
blob() { # DIGEST SIZE NAME
  t="$s/.incoming-$1"
  if [ "$(wc -c < "$s/$1" 2>/dev/null)" = "$2" ]; then take "$2" >/dev/null; return; fi
  ( umask 022; : > "$t" ) 2>/dev/null || { if [ -w "$s" ]; then echo "full $3"; else echo "readonly $s"; fi; exit 73; }
  take "$2" > "$t"
  n=$(wc -c < "$t")
  if [ "$n" -ne "$2" ]; then
    rm -f "$t"
    # Standard input that goes on means that the disk ended, not the connection.
    if [ -n "$(dd bs=1 count=1 2>/dev/null | wc -c | grep -v '^ *0$')" ]; then echo "full $3 $(df -Pk "$s" | awk 'NR==2{print $4}')"; exit 72; fi
    echo "short $3 $n"; exit 71
  fi
  # From the page cache, where it just went: cheaper than a second pipe that every byte would pass.
  h=$(sum "$t")
  h=\${h%% *}
  [ "$h" = "$1" ] || { rm -f "$t"; echo "digest $3 $h"; exit 74; }
  chmod 0644 "$t" && mv -f "$t" "$s/$1" || { rm -f "$t"; echo "readonly $s"; exit 73; }
}
trap 'rm -f "$s"/.incoming-*' EXIT; trap 'exit 70' HUP INT TERM PIPE
${blobs.map((blob) => `blob ${blob.sha256} ${blob.sizeBytes} ${quote(blob.name)}`).join('\n')}
`
}

function stageError(machine: Machine, stdout: string, stderr: string, exitCode: number): AirliftError {
  const [word, ...rest] = (stdout.trim().split('\n').at(-1) ?? '').split(' ')
  const what = rest.join(' ')
  const details = { machine: machine.name, log: stderr.trim().split('\n').filter(Boolean).slice(-3) }
  if (word === 'full') {
    return new AirliftError('E_DISK_FULL', `no space left on the device while writing ${what} to ${STORE}`, {
      ...details,
      hint: 'free some space in /var/lib and run the same command again: what has arrived is kept',
    })
  }
  if (word === 'readonly')
    return new AirliftError('E_READ_ONLY', `cannot write to ${what}: the file system is read-only`, {
      ...details,
      hint: 'mount /var/lib read-write',
    })
  if (word === 'digest') {
    return new AirliftError(
      'E_DIGEST_MISMATCH',
      `${what.split(' ')[0]} arrived with another content than it was sent with`,
      { ...details, hint: 'check the disk and the memory of the machine, and run the same command again' },
    )
  }
  if (word === 'short')
    return new AirliftError('E_SSH_LOST', `the upload of ${what.split(' ')[0]} was cut off`, {
      ...details,
      hint: 'run the same command again: what has arrived is kept',
    })
  return new AirliftError('E_COMMAND', `staging ended with exit code ${exitCode}`, details)
}
