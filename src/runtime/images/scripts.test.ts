import { spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { SHELLS } from '../../machine/shells.fixture.js'
import { parseCriImages, parseNodeImages } from './node-images.js'
import { changeScript, listScript, removeScript, stateScript } from './scripts.js'

const DIGEST = `sha256:${'d'.repeat(64)}`
const ID = `sha256:${'c'.repeat(64)}`
/** As ctr of containerd 2.2 prints it. */
const CHECK = `REF                    TYPE                                       DIGEST STATUS         SIZE                UNPACKED
docker.io/library/a:1 application/vnd.oci.image.manifest.v1+json ${DIGEST} complete (3/3)   120.0 MiB/120.0 MiB true
docker.io/library/b:1 application/vnd.oci.image.manifest.v1+json ${DIGEST} incomplete (2/3) 20.0 MiB/20.0 MiB   false
docker.io/library/c:1 application/vnd.oci.image.manifest.v1+json ${DIGEST} complete (3/3)   20.0 MiB/20.0 MiB   false
${ID} application/vnd.oci.image.manifest.v1+json ${DIGEST} complete (3/3)   120.0 MiB/120.0 MiB true
`

let dir: string
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'airlift-ctr-'))
})
afterEach(() => rmSync(dir, { recursive: true, force: true }))

/** A k3s that notes its arguments and answers as the lines of a case say. */
function k3s(cases: string): void {
  writeFileSync(
    join(dir, 'k3s'),
    `#!/bin/sh\necho "$CONTAINERD_SNAPSHOTTER|$*" >>${dir}/calls\ncase "$*" in\n${cases}\n*) echo "unexpected $*" >&2; exit 99;;\nesac\n`,
  )
  chmodSync(join(dir, 'k3s'), 0o755)
  writeFileSync(join(dir, 'check'), CHECK)
}
const OK = () =>
  `*'images check') cat ${dir}/check;;\n*'content ls -q') echo ${DIGEST};;\n*'images tag'*|*'images rm'*) ;;`
const calls = (): string[] => readFileSync(join(dir, 'calls'), 'utf8').trim().split('\n')

function run(script: string, shell: readonly string[], input = ''): { stdout: string; stderr: string } {
  const [program = 'sh', ...args] = shell
  const text = script.replaceAll('/usr/local/bin/k3s', join(dir, 'k3s')).replaceAll('/var/lib/rancher', dir)
  const { stdout, stderr } = spawnSync(program, [...args, '-c', text], { input, encoding: 'utf8' })
  return { stdout, stderr }
}

describe.each(SHELLS)('under %s', (...shell) => {
  it('tells what containerd has', () => {
    k3s(OK())
    const { stdout, stderr } = run(stateScript(), shell)
    const found = parseNodeImages(stdout, stderr, 'a')
    expect(found.records.get('docker.io/library/a:1')).toEqual({
      digest: DIGEST,
      whole: true,
      unpacked: true,
    })
    expect(found.records.get('docker.io/library/b:1')).toEqual({
      digest: DIGEST,
      whole: false,
      unpacked: false,
    })
    // As k3s leaves what it loads at its start.
    expect(found.records.get('docker.io/library/c:1')).toMatchObject({ whole: true, unpacked: false })
    expect(found.records.has(ID)).toBe(true)
    expect(found.records.size).toBe(4)
    expect([...found.blobs]).toEqual(['d'.repeat(64)])
    expect(found.arch).toBeDefined()
    expect(calls()[0]).toBe('|ctr -n k8s.io images check')
  })

  it('unpacks where the containerd of k3s does', () => {
    k3s(OK())
    mkdirSync(join(dir, 'k3s-data'))
    mkdirSync(join(dir, 'agent/etc/containerd'), { recursive: true })
    writeFileSync(
      join(dir, 'agent/etc/containerd/config.toml'),
      `[plugins.'io.containerd.cri.v1.images']\n  snapshotter = "fuse-overlayfs"\n`,
    )
    const script = stateScript().replaceAll('/var/lib/rancher/k3s', dir)
    run(script, shell)
    expect(calls()[0]).toBe('fuse-overlayfs|ctr -n k8s.io images check')
  })

  it('hands standard input to ctr, and asks again until the kubelet knows the image', () => {
    k3s(`*'images import --local -') cat >${dir}/got;;
*'images check') if [ -e ${dir}/asked ]; then cat ${dir}/check; else touch ${dir}/asked; fi;;`)
    const script = changeScript({ tags: [], archive: 'stdin', ids: [ID] })
    const { stdout, stderr } = run(script, shell, 'the archive')
    expect(readFileSync(join(dir, 'got'), 'utf8')).toBe('the archive')
    expect(parseNodeImages(stdout, stderr, 'a').records.has(ID)).toBe(true)
    expect(stdout).not.toContain('@@failed')
    expect(calls().filter((call) => call.endsWith('images check'))).toHaveLength(2)
  })

  it('does without --local where ctr does not know it, with the whole archive', () => {
    k3s(`${OK()}
*'images import --local -') echo 'ctr: flag provided but not defined: -local' >&2; exit 1;;
*'images import -') cat >${dir}/got;;`)
    const { stdout } = run(changeScript({ tags: [], archive: 'stdin', ids: [ID] }), shell, 'the archive')
    expect(readFileSync(join(dir, 'got'), 'utf8')).toBe('the archive')
    expect(stdout).not.toContain('@@failed')
  })

  it('leaves unpacking to others where that is asked for, with an older ctr too', () => {
    k3s(`${OK()}
*'images import --local --no-unpack -') echo 'ctr: flag provided but not defined: -local' >&2; exit 1;;
*'images import --no-unpack -') cat >${dir}/got;;`)
    const script = changeScript({ tags: [], archive: 'stdin', packed: true, ids: [ID] })
    expect(run(script, shell, 'the archive').stdout).not.toContain('@@failed')
    expect(readFileSync(join(dir, 'got'), 'utf8')).toBe('the archive')
  })

  it('says what containerd said when it refuses, without its warnings', () => {
    k3s(`${OK()}
*'images import --local -') cat >/dev/null; echo 'level=warning msg=old' >&2; echo 'ctr: no space left on device' >&2; exit 1;;`)
    const { stdout, stderr } = run(
      changeScript({ tags: [], archive: 'stdin', ids: [`sha256:${'e'.repeat(64)}`] }),
      shell,
    )
    expect(stdout).toContain('@@failed import\n')
    expect(stderr).toBe('ctr: no space left on device\n')
    // It waits for nothing that cannot come.
    expect(calls().filter((call) => call.endsWith('images check'))).toHaveLength(1)
  })

  it('names images anew before it imports, and does not give their ctr the archive', () => {
    k3s(`*'images tag'*) cat >${dir}/wrong;;
*'images import --local -') cat >${dir}/got;;
*'images check') cat ${dir}/check;;`)
    const tags = [{ from: 'docker.io/library/a:1', names: ["it's:1", 'docker.io/library/z:1'] }]
    run(changeScript({ tags, archive: 'stdin', ids: [ID] }), shell, 'the archive')
    expect(readFileSync(join(dir, 'wrong'), 'utf8')).toBe('')
    expect(readFileSync(join(dir, 'got'), 'utf8')).toBe('the archive')
    expect(calls()[0]).toBe(
      "|ctr -n k8s.io images tag --force docker.io/library/a:1 it's:1 docker.io/library/z:1",
    )
  })

  it('takes names away', () => {
    k3s(OK())
    run(removeScript(['a:1', ID]), shell)
    expect(calls()).toEqual([`|ctr -n k8s.io images rm a:1 ${ID}`])
  })

  it('lists what the kubelet sees', () => {
    const images = [
      { id: ID, repoTags: ['a:1', 'b:1'], repoDigests: ['a@sha256:0'], size: '120', pinned: true },
      { id: DIGEST, repoTags: [], repoDigests: [`x@${DIGEST}`], size: '7' },
      { id: DIGEST },
    ]
    writeFileSync(join(dir, 'json'), JSON.stringify({ images }))
    k3s(`'crictl images -o json') cat ${dir}/json;;`)
    const { stdout, stderr } = run(listScript(), shell)
    expect(parseCriImages(stdout, stderr, 'a').images).toEqual([
      { id: ID, names: ['a:1', 'b:1'], sizeBytes: 120, pinned: true },
      { id: DIGEST, names: [`x@${DIGEST}`], sizeBytes: 7, pinned: false },
      { id: DIGEST, names: [], sizeBytes: 0, pinned: false },
    ])
  })

  it.each([
    ['state', stateScript()],
    ['change', changeScript({ tags: [], archive: 'stdin', ids: [ID] })],
  ])('of %s, says that containerd does not answer', (_what, script) => {
    k3s(`*) cat >/dev/null; echo 'ctr: cannot access socket' >&2; exit 1;;`)
    const { stdout, stderr } = run(script, shell)
    expect(() => parseNodeImages(stdout, stderr, 'a')).toThrow('the containerd of k3s does not answer')
  })

  it('says that the kubelet does not answer', () => {
    k3s('*) exit 1;;')
    const { stdout, stderr } = run(listScript(), shell)
    expect(() => parseCriImages(stdout, stderr, 'a')).toThrow('the containerd of k3s does not answer')
  })
})

it('says that there is no k3s', () => {
  for (const script of [stateScript(), listScript(), changeScript({ tags: [], ids: [] })]) {
    const { stdout, stderr } = run(script.replaceAll('command -v k3s', 'false'), ['sh'])
    expect(() => parseNodeImages(stdout, stderr, 'a')).toThrow('there is no k3s on this machine')
  }
})
