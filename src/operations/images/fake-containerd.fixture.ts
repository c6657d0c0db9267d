import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readTar } from '../../machine/docker/fake-files.js'
import { createFakeMachine, type FakeCall, type FakeMachine } from '../../machine/fake/fake-machine.js'
import type { RunOptions, RunResult, UnpackRequest } from '../../machine/machine.js'
import { sha256 } from '../../rootfs/digest.js'
import { scanTar } from '../../rootfs/tar/scan.js'
import { NOT_SHARED, PUT_MARK, SHARED } from '../../runtime/images/scripts.js'

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
  const change = async ({ script, stdin: input }: FakeCall): Promise<Partial<RunResult> | Error> => {
    for (const [, from = '', names = ''] of script.matchAll(/images tag --force (\S+) (.*?) 2>&1/g)) {
      const source = images.get(from)
      if (!source) return { stdout: state(['@@failed tag']), stderr: `image "${from}": not found` }
      for (const to of names.split(' ')) images.set(to, source)
    }
    if (!script.includes('images import')) return { stdout: state() }
    const [, path] = /^arrived (.*)\n$/.exec(input.toString()) ?? []
    if (script.includes(PUT_MARK) && path === undefined) return { exitCode: 72 }
    const stdin = path === undefined ? input : (options.shared?.get(path) ?? unpacked.get(path))
    if (!stdin) return { exitCode: path?.startsWith(SHARED) ? NOT_SHARED : 73 }
    imports.push(stdin.length)
    const refused = options.refuse?.(imports.length)
    if (refused instanceof Error) return refused
    if (refused !== undefined) return { stdout: state(['@@failed import']), stderr: `ctr: ${refused}\n` }
    await take(stdin, images, content)
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
  const machine: FakeContainerd = Object.assign(fake, {
    images,
    content,
    imports,
    unpacked: names,
    // The script says where the archive is to be before it reads anything.
    run: (script: string, given: RunOptions = {}) => {
      const put = `/var/lib/rancher/k3s/airlift/import-${unpacked.size}-1.tar`
      const common = options.shared ? ` ${SHARED}/${name}-${unpacked.size}.tar` : ''
      if (script.includes(PUT_MARK)) given.onLine?.(`${PUT_MARK}${put}${common}`)
      return run(script, given)
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
