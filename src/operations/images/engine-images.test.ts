import { describe, expect, it } from 'vitest'
import { createFakeEngine } from '../../machine/docker/fake-engine.js'
import { importLab, outcomes } from './import-into.fixture.js'

const { node: containerd, importInto } = importLab()
const NAME = 'docker.io/library/app:1'

describe('importImages from Docker', () => {
  const engineWith = (...refs: string[]) =>
    createFakeEngine({ images: Object.fromEntries(refs.map((ref) => [ref, { arch: 'amd64' }])) })
  const saves = (engine: ReturnType<typeof createFakeEngine>): unknown =>
    engine.calls.filter(({ method }) => method === 'saveImages').map(({ args }) => args)

  it('reads all of them once, for the platform of the nodes', async () => {
    const engine = engineWith('app:1', 'team/db:2')
    const [a, b] = [containerd('a'), containerd('b')]
    const result = await importInto([a, b], ['app:1', 'team/db:2'], { engine })
    expect(outcomes(result)).toEqual([
      { [NAME]: 'imported', 'docker.io/team/db:2': 'imported' },
      { [NAME]: 'imported', 'docker.io/team/db:2': 'imported' },
    ])
    expect(saves(engine)).toEqual([[['app:1', 'team/db:2'], 'linux/amd64']])
    expect(engine.closed).toBe(true)
  })

  it('does not read what every node has', async () => {
    const a = containerd('a')
    const engine = engineWith('app:1', 'team/db:2')
    await importInto([a], ['app:1'], { engine })
    const id = a.images.get(NAME)?.id ?? ''
    const same = createFakeEngine({
      images: { 'app:1': { arch: 'amd64', id }, 'team/db:2': { arch: 'amd64' } },
    })
    const result = await importInto([a], ['app:1', 'team/db:2'], { engine: same })
    expect(outcomes(result)).toEqual([{ [NAME]: 'present', 'docker.io/team/db:2': 'imported' }])
    expect(saves(same)).toEqual([[['team/db:2'], 'linux/amd64']])
    const nothing = await importInto([a], ['app:1'], {
      engine: createFakeEngine({ images: { 'app:1': { arch: 'amd64', id } } }),
    })
    expect(nothing).toMatchObject({ outcome: 'unchanged', images: [{ name: NAME, id }] })
  })

  it.each([
    ['app:12', /^did you mean app:1\?$/],
    ['app:nightly', /^did you mean app:1\?$/],
    ['lib/nothing:1', /docker pull lib\/nothing:1/],
  ])('does not know %s', async (ref, hint) => {
    const message = `there is no image "${ref}" in Docker, and no such file here`
    await expect(
      importInto([containerd('a')], [ref], { engine: engineWith('docker.io/library/app:1') }),
    ).rejects.toMatchObject({
      code: 'E_IMAGE_MISSING',
      message,
      hint: expect.stringMatching(hint),
    })
  })

  it('refuses an image by its id', async () => {
    const engine = createFakeEngine({ images: { 'app:1': { arch: 'amd64' } } })
    const id = (await engine.image('app:1'))?.id ?? ''
    engine.image = async () => engine.images([]).then(([image]) => image)
    await expect(importInto([containerd('a')], [id.slice(7, 19)], { engine })).rejects.toMatchObject({
      code: 'E_IMAGE_INVALID',
      message: expect.stringContaining('is the id of an image'),
    })
  })

  it('refuses an image of another platform before it is read', async () => {
    const engine = createFakeEngine({ images: { 'app:1': { arch: 'arm64' } } })
    await expect(importInto([containerd('a')], ['app:1'], { engine })).rejects.toThrow(
      'docker.io/library/app:1 in Docker is for linux/arm64, and a is linux/amd64',
    )
    expect(saves(engine)).toEqual([])
  })

  it('says that it is no file either, when no engine answers', async () => {
    await expect(importInto([containerd('a')], ['app'])).rejects.toMatchObject({
      code: 'E_ENGINE_UNREACHABLE',
      message: '"app" is no file here, and no container engine answers',
      hint: 'start Docker',
    })
  })
})
