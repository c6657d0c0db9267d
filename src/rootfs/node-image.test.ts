import { Readable } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { LABELS } from '../cluster/container-labels.js'
import { type Context, defaultLimits, systemClock } from '../core/context.js'
import { silentEvents } from '../core/events.js'
import { container } from '../machine/docker/container.fixture.js'
import { createFakeEngine } from '../machine/docker/fake-engine.js'
import type { FakeEngine, FakeEngineOptions } from '../machine/docker/fake-engine-types.js'
import { BINARY_LABEL, buildNodeImage, type NodeImageRequest } from './node-image.js'
import type { MemberHeader } from './tar/pack-entries.js'
import { memberHeader } from './tar/pack-entries.js'

const HASH = 'ab'.repeat(32)
const REF = 'airlift/k3s:v1.33.1-k3s1-0123456789ab'

function context(signal: AbortSignal = new AbortController().signal): Context {
  return { signal, events: silentEvents, clock: systemClock, limits: defaultLimits, offline: false, env: {} }
}

/** The first bytes of a static program for x86-64, and more than one chunk of others. */
function program(): Buffer {
  const head = Buffer.alloc(64)
  head.write('\x7fELF\x02\x01\x01', 'latin1')
  head.writeUInt16LE(62, 18)
  return Buffer.concat([head, Buffer.alloc(100_000, 'k3s')])
}

function request(content: Buffer = program()): NodeImageRequest {
  return {
    ref: REF,
    arch: 'amd64',
    version: 'v1.33.1+k3s1',
    binary: () => Readable.from([content.subarray(0, 10), content.subarray(10)]),
    sizeBytes: content.length,
    sha256: '0123456789ab'.padEnd(64, '0'),
  }
}

type Member = Pick<MemberHeader, 'path'> & Partial<MemberHeader> & { readonly content?: string }

function tarOf(members: readonly Member[]): Buffer {
  const parts = members.flatMap(({ content = '', ...member }) => {
    const bytes = Buffer.from(content)
    const header = memberHeader({ mode: '0755', type: 'File', ...member, size: bytes.length })
    return [header, bytes, Buffer.alloc((512 - (bytes.length % 512)) % 512)]
  })
  return Buffer.concat([...parts, Buffer.alloc(1024)])
}

const LONG = `aux/lib/xtables/${'a-name-that-no-ustar-header-can-hold-'.repeat(3)}.so`

/** What a k3s of a release unpacks, abridged. */
const UNPACKED: readonly Member[] = [
  { path: '.lock', mode: '0600' },
  { path: `${HASH}/`, type: 'Directory' },
  { path: `${HASH}/bin/`, type: 'Directory' },
  { path: `${HASH}/bin/k3s`, content: 'the inner k3s' },
  { path: `${HASH}/bin/cni`, content: 'cni' },
  { path: `${HASH}/bin/busybox`, content: 'busybox' },
  { path: `${HASH}/bin/kubectl`, type: 'SymbolicLink', linkpath: 'k3s' },
  { path: `${HASH}/bin/flannel`, type: 'SymbolicLink', linkpath: 'cni' },
  { path: `${HASH}/bin/aux/`, type: 'Directory' },
  { path: `${HASH}/bin/aux/mount`, type: 'SymbolicLink', linkpath: '../busybox' },
  { path: 'cni/', type: 'Directory' },
  { path: 'cni/flannel', type: 'SymbolicLink', linkpath: `/var/lib/rancher/k3s/data/${HASH}/bin/cni` },
  { path: 'current', type: 'SymbolicLink', linkpath: `/var/lib/rancher/k3s/data/${HASH}` },
]

/** An engine on which the binary unpacks itself, or does what a test wants. */
function engineWith(members: readonly Member[], code = 0, more: FakeEngineOptions = {}): FakeEngine {
  return createFakeEngine({
    onStart: async (name, engine) => {
      const below = members.map((one) => ({ ...one, path: `var/lib/rancher/k3s/data/${one.path}` }))
      if (below.length > 0) await engine.putArchive(name, '/', tarOf(below))
      engine.log(name, code === 0 ? '' : 'level=fatal msg="no room"\n')
      engine.exit(name, code)
    },
    ...more,
  })
}

async function contentOf(engine: FakeEngine): Promise<ReturnType<FakeEngine['files']>> {
  await engine.createContainer(container({ name: 'look', image: REF }))
  return engine.files('look')
}

async function failure(engine: FakeEngine, what: NodeImageRequest = request()): Promise<unknown> {
  return buildNodeImage(engine, what, context()).then(
    () => 'made',
    (error: unknown) => error,
  )
}

describe('buildNodeImage', () => {
  it('makes of what k3s unpacks an image laid out as the one of its releases', async () => {
    const engine = engineWith(UNPACKED)
    await buildNodeImage(engine, request(), context())
    const image = await engine.image(REF)
    expect(image?.labels).toEqual({
      [LABELS.version]: 'v1.33.1+k3s1',
      [BINARY_LABEL]: `sha256:${request().sha256}`,
    })
    expect(image?.entrypoint).toEqual(['/bin/k3s'])
    expect(image?.env).toContain('CRI_CONFIG_FILE=/var/lib/rancher/k3s/agent/etc/crictl.yaml')
    const files = await contentOf(engine)
    expect(files.get('/bin/k3s')).toMatchObject({ mode: '0755', content: Buffer.from('the inner k3s') })
    expect(files.get('/bin/kubectl')).toMatchObject({ kind: 'link', link: 'k3s' })
    expect(files.get('/bin/aux/mount')).toMatchObject({ kind: 'link', link: '../busybox' })
    expect(files.get('/var/lib/rancher/k3s/data/cni/flannel')).toMatchObject({ link: '/bin/cni' })
    expect(files.get('/var/lib/rancher/k3s/data/cni/cni')).toMatchObject({ link: '/bin/cni' })
    expect(files.get('/tmp')).toMatchObject({ kind: 'directory', mode: expect.stringMatching(/1777$/) })
    expect(files.get('/etc/nsswitch.conf')?.content.toString()).toBe('hosts: files dns\n')
    expect(files.get('/etc/os-release')?.content.toString()).toContain('K3s v1.33.1+k3s1')
    expect([...files.keys()].filter((path) => path.includes(HASH) || path.includes('.lock'))).toEqual([])
  })

  it('adds links for busybox where the binary brings none, and leaves those that it brings', async () => {
    const bare = engineWith(UNPACKED)
    await buildNodeImage(bare, request(), context())
    const files = await contentOf(bare)
    expect(files.get('/bin/sh')).toMatchObject({ link: 'busybox' })
    expect(files.has('/bin/mount'), 'mount is in aux').toBe(false)

    const sh = { path: `${HASH}/bin/sh`, type: 'SymbolicLink', linkpath: 'busybox' } as const
    const release = engineWith([...UNPACKED, sh])
    await buildNodeImage(release, request(), context())
    expect((await contentOf(release)).has('/bin/awk')).toBe(false)
  })

  it('does nothing when the image is there, and makes it anew for another binary', async () => {
    const engine = engineWith(UNPACKED)
    await buildNodeImage(engine, request(), context())
    const before = engine.calls.length
    await buildNodeImage(engine, request(), context())
    expect(engine.calls.slice(before).map((call) => call.method)).toEqual(['image'])

    const other = { ...request(), sha256: 'f'.repeat(64) }
    await buildNodeImage(engine, other, context())
    expect((await engine.image(REF))?.labels[BINARY_LABEL]).toBe(`sha256:${'f'.repeat(64)}`)
  })

  it('leaves nothing temporary, whether it succeeds or fails', async () => {
    for (const engine of [engineWith(UNPACKED), engineWith(UNPACKED, 1), engineWith([])]) {
      await failure(engine)
      expect(await engine.containers([])).toEqual([])
      expect(await engine.images([LABELS.temporary])).toEqual([])
    }
  })

  it('labels what it leaves when the engine goes away', async () => {
    const engine = engineWith(UNPACKED)
    engine.fail({ method: 'getArchive', error: { errno: 'ECONNRESET', text: 'socket hang up' } })
    engine.fail({ method: 'removeContainer', error: { errno: 'ECONNRESET', text: 'socket hang up' } })
    engine.fail({ method: 'removeImage', error: { errno: 'ECONNRESET', text: 'socket hang up' } })
    expect(await failure(engine)).toMatchObject({ code: 'E_ENGINE_UNREACHABLE' })
    expect(await engine.containers([LABELS.temporary])).toHaveLength(1)
    expect(await engine.images([LABELS.temporary])).toHaveLength(1)
    expect(await engine.image(REF)).toBeUndefined()
  })

  it('says what is wrong with a binary, and the way without it', async () => {
    const arm = program()
    arm.writeUInt16LE(183, 18)
    const noStart = engineWith(UNPACKED)
    noStart.fail({
      method: 'startContainer',
      error: { status: 400, text: 'exec /bin/k3s: no such file or directory' },
    })
    const cases: readonly [FakeEngine, Buffer, RegExp][] = [
      [engineWith(UNPACKED), Buffer.from('#!/bin/sh\nexec k3s\n'), /it is a script/],
      [engineWith(UNPACKED), Buffer.from('\x1f\x8b not unpacked'), /it is no program for Linux/],
      [engineWith(UNPACKED), arm, /it is for aarch64, and the engine's computer is amd64/],
      [noStart, program(), /it does not start by itself .*no such file/],
      [engineWith(UNPACKED, 1), program(), /it ends with 1: level=fatal msg="no room"/],
      [engineWith([]), program(), /does not unpack itself/],
      [engineWith([{ path: `${HASH}/bin/k3s`, content: 'k3s' }]), program(), /holds no shell/],
      [engineWith([{ path: `${HASH}/bin/sh`, content: 'sh' }]), program(), /holds no k3s/],
    ]
    for (const [engine, content, message] of cases) {
      const error = await failure(engine, request(content))
      expect(error).toMatchObject({ code: 'E_IMAGE_INVALID', hint: expect.stringContaining('--image') })
      expect((error as Error).message).toMatch(message)
      expect(await engine.image(REF)).toBeUndefined()
    }
  })

  it('does not take the trouble of the engine for one of the binary', async () => {
    const full = engineWith(UNPACKED)
    full.fail({ method: 'importImage', error: { status: 500, text: 'no space left on device' } })
    expect(await failure(full)).toMatchObject({ code: 'E_DISK_FULL' })
  })

  it('tells of a binary that cannot be read', async () => {
    const unreadable = {
      ...request(),
      binary: () =>
        Readable.from(
          (async function* () {
            yield program().subarray(0, 64)
            throw new Error('the bundle is damaged')
          })(),
        ),
    }
    expect(await failure(engineWith(UNPACKED), unreadable)).toMatchObject({
      message: 'the bundle is damaged',
    })
  })

  it('takes names that need a record of their own', async () => {
    // The archive of the fake engine cannot hold them; the reader is what is under test.
    const { nodeLayout } = await import('./node-layout.js')
    const tar = tarOf(
      [...UNPACKED, { path: `${HASH}/bin/${LONG}`, content: 'x' }].map((one) => ({
        ...one,
        path: `data/${one.path}`,
      })),
    )
    const pieces: Buffer[] = []
    const bytewise = async function* (): AsyncGenerator<Buffer> {
      for (let at = 0; at < tar.length; at += 97) yield tar.subarray(at, at + 97)
    }
    for await (const piece of nodeLayout(bytewise(), 'v1')) pieces.push(piece)
    const { streamMembers } = await import('./tar/stream-members.js')
    const found = new Map<string, string>()
    for await (const member of streamMembers(Readable.from(pieces))) {
      const content: Buffer[] = []
      for await (const chunk of member.content()) content.push(chunk)
      found.set(member.name, Buffer.concat(content).toString())
    }
    expect(found.get(`bin/${LONG}`)).toBe('x')
    expect(found.get('bin/k3s')).toBe('the inner k3s')
  })

  it('does not take half of an archive for a whole one', async () => {
    const { nodeLayout } = await import('./node-layout.js')
    const whole = tarOf(UNPACKED.map((one) => ({ ...one, path: `data/${one.path}` })))
    const read = async (): Promise<void> => {
      for await (const _ of nodeLayout(Readable.from([whole.subarray(0, whole.length / 2)]), 'v1')) {
        // Only the end matters.
      }
    }
    await expect(read()).rejects.toThrow('it ends early')
  })
})
