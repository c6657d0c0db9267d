import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { createContext } from '../core/context.js'
import { openKeptRootfs, openReleasedRootfs, type ReleaseOptions } from './released-rootfs.js'

type Build = NonNullable<ReleaseOptions['build']>

let cache: string
beforeEach(() => {
  cache = mkdtempSync(join(tmpdir(), 'airlift-release-'))
})
afterEach(() => rmSync(cache, { recursive: true, force: true }))

it('builds the bundle of a release once, and takes it from the cache afterwards', async () => {
  const requests: Parameters<Build>[0][] = []
  const build: Build = async (request) => {
    requests.push(request)
    writeFileSync(request.output, 'not a bundle')
    return undefined as never
  }
  const ctx = createContext({ env: { XDG_CACHE_HOME: cache } })
  const open = (): Promise<unknown> => openReleasedRootfs('k3s', '1.33.1-k3s1', ctx, { build })
  await expect(open()).rejects.toMatchObject({ code: 'E_BUNDLE_INVALID' })
  await expect(open()).rejects.toMatchObject({ code: 'E_BUNDLE_INVALID' })
  expect(requests).toHaveLength(1)
  // What is kept is found by the exact release, and for its architecture only.
  await expect(openKeptRootfs('k3s', 'v1.33.1+k3s1', ctx)).rejects.toMatchObject({ code: 'E_BUNDLE_INVALID' })
  expect(await openKeptRootfs('k3s', 'v1.33.1+k3s2', ctx)).toBeUndefined()
  expect(await openKeptRootfs('k3s', 'v1.33.1+k3s1', ctx, { arch: 'arm' })).toBeUndefined()
  expect(requests[0]).toMatchObject({ runtime: 'k3s', version: 'v1.33.1+k3s1' })
  expect(requests[0]?.arch).toHaveLength(1)
  expect(dirname(requests[0]?.output ?? '')).toBe(join(cache, 'airlift/bundles'))
})

it('refuses what is no release before anything is downloaded', async () => {
  const build: Build = () => Promise.reject(new Error('must not be called'))
  const ctx = createContext({ env: { XDG_CACHE_HOME: cache } })
  await expect(openReleasedRootfs('k3s', 'newest', ctx, { build })).rejects.toMatchObject({ code: 'E_USAGE' })
})
