import { spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { noteTemp, readTempNotes, tempDir } from './temp-paths.js'

let dir: string
let env: Record<string, string>
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'airlift-temp-'))
  env = { XDG_STATE_HOME: join(dir, 'state') }
})
afterEach(() => rmSync(dir, { recursive: true, force: true }))

/** A program that notes a path and makes it, then does as it is told. */
const program = (then: string): string[] => {
  const module = JSON.stringify(new URL('./temp-paths.ts', import.meta.url).href)
  const path = JSON.stringify(join(dir, 'airlift-build-abc'))
  const file = join(dir, 'program.mts')
  writeFileSync(
    file,
    `import { mkdirSync } from 'node:fs'
     const { noteTemp } = await import(${module})
     const noted = await noteTemp(${path}, process.env)
     mkdirSync(${path}); console.log('made'); ${then}`,
  )
  return ['--import', new URL('../../node_modules/tsx/dist/loader.mjs', import.meta.url).href, file]
}

it('knows nothing of a path that was finished', async () => {
  const noted = await noteTemp(join(dir, 'airlift-build-abc'), env)
  expect(await readTempNotes(env)).toMatchObject([{ path: join(dir, 'airlift-build-abc'), dead: false }])
  await noted.forget()
  expect(await readTempNotes(env)).toEqual([])
})

it('removes what is not finished when the process exits at once, as after a second Ctrl-C', () => {
  const { status, stdout } = spawnSync(process.execPath, program('process.exit(130)'), {
    env: { ...process.env, ...env },
  })
  expect([status, stdout.toString()]).toEqual([130, 'made\n'])
  expect(existsSync(join(dir, 'airlift-build-abc'))).toBe(false)
  expect(readdirSync(tempDir(env))).toEqual([])
})

it('finds what a killed process left, and tells it from one that runs', async () => {
  const child = spawn(process.execPath, program('setInterval(() => {}, 1000)'), {
    env: { ...process.env, ...env },
  })
  await new Promise((done) => child.stdout.once('data', done))
  expect(await readTempNotes(env)).toMatchObject([{ dead: false }])
  child.kill('SIGKILL')
  await new Promise((done) => child.once('exit', done))
  expect(await readTempNotes(env)).toMatchObject([{ path: join(dir, 'airlift-build-abc'), dead: true }])
  expect(existsSync(join(dir, 'airlift-build-abc'))).toBe(true)
})

it.each([
  { path: '/etc/passwd', pid: 1, host: 'HOST' },
  { path: 'airlift-build-abc', pid: 1, host: 'HOST' },
  { path: '/tmp/airlift-build-abc', pid: 1, host: 'another-computer' },
  'no json',
])('believes no note that it has not written: %j', async (content) => {
  mkdirSync(tempDir(env), { recursive: true })
  const text = typeof content === 'string' ? content : JSON.stringify(content)
  const { hostname } = await import('node:os')
  writeFileSync(join(tempDir(env), '1-0.json'), text.replace('HOST', hostname()))
  expect(await readTempNotes(env)).toEqual([])
})
