import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { SHELLS } from '../machine/shells.fixture.js'
import { listUserFiles, readUserFiles, USER_FILES_SCRIPT } from './user-files.js'

const ETC = '/etc/rancher/k3s'
const files = new Map(
  [
    ['config.yaml', '0600', 'a: b\n'],
    ['registries.yaml', '0600', ''],
    ['registries.d/reg.lan_5000/ca.pem', '0644', 'certificate\n'.repeat(40)],
    ['registries.d/note', '0400', 'ü\n'],
  ].map(([path, mode = '', text = '']) => [`${ETC}/${path}`, { mode, content: Buffer.from(text) }] as const),
)
const told = [...files].map(([path, file]) => ({ path, ...file }))
const byPath = (a: { readonly path: string }, b: { readonly path: string }): number =>
  a.path.localeCompare(b.path)

let dir: string
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'airlift-user-files-'))
})
afterEach(() => rmSync(dir, { recursive: true, force: true }))

it.each(SHELLS)('are told by the script under %s %s, those in folders too', (program, ...args) => {
  for (const [path, { mode, content }] of files) {
    const own = path.replace(ETC, dir)
    mkdirSync(dirname(own), { recursive: true })
    writeFileSync(own, content, { mode: Number.parseInt(mode, 8) })
  }
  writeFileSync(join(dir, 'token'), 'none of them')
  const script = USER_FILES_SCRIPT.replaceAll(ETC, dir)
  const text = execFileSync(program, [...args, '-c', `umask 000\n${script}`], { encoding: 'utf8' })
  const found = readUserFiles(text.replaceAll(dir, ETC))
  expect([...found].sort(byPath)).toEqual([...told].sort(byPath))
})

it('are nothing on a machine that has none', () => {
  expect(execFileSync('sh', ['-c', USER_FILES_SCRIPT.replaceAll(ETC, dir)], { encoding: 'utf8' })).toBe('')
  expect(readUserFiles('')).toEqual([])
})

it('are told the same where they were read by other means', () => {
  const all = new Map([...files, [`${ETC}/k3s.yaml`, { mode: '0600', content: Buffer.from('keys') }]])
  expect(readUserFiles(listUserFiles(all))).toEqual(told)
})
