import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { unlessAborted } from '../../core/unless-aborted.js'
import { readTar } from '../../machine/docker/fake-files.js'
import { createFakeMachine, type FakeCall, type FakeMachine } from '../../machine/fake/fake-machine.js'
import type { RunOptions, RunResult, UnpackRequest } from '../../machine/machine.js'
import { sha256 } from '../../rootfs/digest.js'
import { scanTar } from '../../rootfs/tar/scan.js'
import {
  ARRIVED,
  IMPORTED_MARK,
  NOT_SHARED,
  OPENED_MARK,
  PUT_MARK,
  SHARED,
} from '../../runtime/images/scripts.js'

interface Stored {
  readonly digest: string
  readonly id: string
  readonly blobs: readonly string[]
}

/** How a fake containerd is, and what goes wrong with it. */
export interface FakeContainerdOptions {
  readonly unameArch?: string
  readonly freeBytes?: number
  /** False: nothing is ever unpacked. */
  readonly unpacked?: boolean
  /** Called for each import; what it gives is said by ctr, and nothing is stored. */
  readonly refuse?: (attempt: number) => string | Error | undefined
  /** A container: the engine unpacks archives into it. What this gives is thrown instead. */
  readonly unpack?: () => Error | undefined
  /** What lies on the volume that it has with others, by path. */
  readonly shared?: Map<string, Buffer>
  /** A container that is slow: it asks for an archive that comes as a file only after this. */
  readonly beforeAsk?: () => Promise<void>
  /** Changes an image once it is stored. */
  readonly afterImport?: (containerd: FakeContainerd) => void
}

/** A machine whose containerd takes in archives as the real one does: blobs that it has may be left out. */
export interface FakeContainerd extends FakeMachine {
  readonly images: Map<string, Stored>
  readonly content: Map<string, Buffer>
  /** Bytes of each archive that arrived. */
  readonly imports: number[]
  /** Names of those that the engine unpacked. */
  readonly unpacked: string[]
  /** What scripts that take an archive as a file have printed while they ran. */
  readonly said: string[]
}

/** Makes a machine with an empty containerd. */
export function createFakeContainerd(name: string, options: FakeContainerdOptions = {}): FakeContainerd {
  const images = new Map<string, Stored>()
  const content = new Map<string, Buffer>()
  const imports: number[] = []
  const list = (): string[] =>
    [...images].map(([ref, { digest, blobs }]) => {
      const whole = blobs.every((hex) => content.has(hex))
      return `${ref} type ${digest} ${whole ? 'complete' : 'incomplete'} (1/1) 1 KiB/1 KiB ${whole && options.unpacked !== false}`
    })
  const state = (failed: readonly string[] = []): string =>
    [
      ...failed,
      `@@arch ${options.unameArch ?? 'x86_64'}`,
      `@@free ${options.freeBytes ?? 1e12}`,
      '@@images',
      'REF TYPE DIGEST STATUS SIZE UNPACKED',
      ...list(),
    ].join('\n')
  const unpacked = new Map<string, Buffer>()
  const names: string[] = []
  const said: string[] = []
  const say = (line: string, { onLine }: RunOptions): void => {
    said.push(line)
    onLine?.(line)
  }
  const change = async (call: FakeCall): Promise<Partial<RunResult> | Error> => {
    const { script, stdin: input } = call
    for (const [, from = '', names = ''] of script.matchAll(/images tag --force (\S+) (.*?) 2>&1/g)) {
      const source = images.get(from)
      if (!source) return { stdout: state(['@@failed tag']), stderr: `image "${from}": not found` }
      for (const to of names.split(' ')) images.set(to, source)
    }
    if (!script.includes('images import')) return { stdout: state() }
    if (!script.includes(PUT_MARK)) return receive(input)
    if (!input.toString().startsWith(ARRIVED)) return { exitCode: 72 }
    const path = input.toString().slice(ARRIVED.length, -1)
    const archive = options.shared?.get(path) ?? unpacked.get(path)
    if (!archive) return { exitCode: path.startsWith(SHARED) ? NOT_SHARED : 73 }
    say(OPENED_MARK, call.options)
    const result = await receive(archive)
    if (!(result instanceof Error)) say(IMPORTED_MARK, call.options)
    return result
  }
  const receive = async (archive: Buffer): Promise<Partial<RunResult> | Error> => {
    imports.push(archive.length)
    const refused = options.refuse?.(imports.length)
    if (refused instanceof Error) return refused
    if (refused !== undefined) return { stdout: state(['@@failed import']), stderr: `ctr: ${refused}\n` }
    await take(archive, images, content)
    options.afterImport?.(machine)
    return { stdout: state() }
  }
  const fake = createFakeMachine({
    id: `ssh://root@${name}:22`,
    name,
    on: [
      { match: 'images rm', fn: ({ script }) => remove(script, images) },
      {
        match: 'echo @@blobs',
        fn: () =>
          `${state()}\n@@blobs\n${[...content.keys()].map((hex) => `sha256:${hex}`).join('\n')}\n@@end\n`,
      },
      { match: 'tell()', fn: change },
      { match: 'uname -n', reply: `${name}\n` },
    ],
  })
  const { run } = fake
  /** As the script does: says where the archive is to be, reads where it is, and keeps what others may want until its input ends. */
  const converse = async (script: string, given: RunOptions): Promise<RunResult> => {
    await options.beforeAsk?.()
    const own = `/var/lib/rancher/k3s/airlift/import-${unpacked.size}-1.tar`
    const common = options.shared && `${SHARED}/${name}-${unpacked.size}.tar`
    say(`${PUT_MARK}${own}${common ? ` ${common}` : ''}`, given)
    const input = chunksOf(given.stdin)
    const { value = '' } = await input.next()
    try {
      const result = await run(script, { ...given, stdin: value })
      // Only what the others may take has a name yet.
      const keeps = result.exitCode === 0 && value.toString() === `${ARRIVED}${common}\n`
      while (keeps && !(await input.next()).done);
      return result
    } finally {
      if (common) options.shared?.delete(common)
    }
  }
  const machine: FakeContainerd = Object.assign(fake, {
    images,
    content,
    imports,
    unpacked: names,
    said,
    run: (script: string, given: RunOptions = {}) => {
      if (!script.includes(PUT_MARK)) return run(script, given)
      const { signal = new AbortController().signal } = given
      return unlessAborted(converse(script, given), signal)
    },
    ...(options.unpack
      ? {
          unpack: async ({ directory, tar }: UnpackRequest) => {
            const chunks: Buffer[] = []
            for await (const chunk of tar) chunks.push(chunk)
            const error = options.unpack?.()
            if (error) throw error
            for (const [path, file] of await readTar(Buffer.concat(chunks), directory)) {
              names.push(path)
              if (path.startsWith(SHARED)) options.shared?.set(path, file.content)
              else unpacked.set(path, file.content)
            }
          },
        }
      : {}),
  })
  return machine
}

async function* chunksOf(source: RunOptions['stdin']): AsyncGenerator<Buffer> {
  for await (const chunk of source ?? []) yield Buffer.from(chunk)
}

function remove(script: string, images: Map<string, Stored>): string {
  for (const name of /images rm (.*?) >/.exec(script)?.[1]?.split(' ') ?? []) images.delete(name)
  return ''
}

/** Reads an OCI archive. */
async function take(bytes: Buffer, images: Map<string, Stored>, content: Map<string, Buffer>): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), 'airlift-containerd-'))
  writeFileSync(join(dir, 'x.tar'), bytes)
  const file = await open(join(dir, 'x.tar'), 'r')
  try {
    const { members, cut } = await scanTar(file, bytes.length)
    if (cut) throw new Error(`the archive is cut: ${cut}`)
    const read = (name: string): Buffer | undefined => {
      const member = members.get(name)
      return member && bytes.subarray(member.offset, member.offset + member.size)
    }
    for (const name of members.keys()) {
      const blob = name.startsWith('blobs/') ? read(name) : undefined
      if (blob) content.set(sha256(blob), Buffer.from(blob))
    }
    const index = JSON.parse(read('index.json')?.toString() ?? '{}') as {
      readonly manifests: readonly { readonly digest: string; readonly annotations: Record<string, string> }[]
    }
    for (const { digest, annotations } of index.manifests) {
      const manifest = JSON.parse(content.get(digest.slice(7))?.toString() ?? '') as {
        readonly config: { readonly digest: string }
        readonly layers: readonly { readonly digest: string }[]
      }
      const parts = [digest, manifest.config.digest, ...manifest.layers.map((layer) => layer.digest)]
      const stored = { digest, id: manifest.config.digest, blobs: parts.map((part) => part.slice(7)) }
      images.set(annotations['io.containerd.image.name'] ?? '', stored)
      images.set(stored.id, stored)
    }
  } finally {
    await file.close()
    rmSync(dir, { recursive: true, force: true })
  }
}
