import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { afterEach, expect, it, vi } from 'vitest'
import { registryAuth, registryLogins } from './registry-auth.js'

const auth = Buffer.from('me:pass:word').toString('base64')
const dirs: string[] = []
afterEach(() => {
  for (const dir of dirs.splice(0)) rmSync(dir, { recursive: true, force: true })
})

async function read(...args: Parameters<typeof registryAuth>): Promise<unknown> {
  const header = await registryAuth(...args)
  return header && JSON.parse(Buffer.from(header, 'base64url').toString())
}

it('takes what docker login left in the file', async () => {
  const auths = {
    'registry.test:5000': { auth },
    'https://index.docker.io/v1/': { identitytoken: 'token' },
  }
  expect(await read({ auths }, 'registry.test:5000/a/b:1')).toEqual({
    username: 'me',
    password: 'pass:word',
    serveraddress: 'registry.test:5000',
  })
  expect(await read({ auths }, 'rancher/k3s:v1')).toMatchObject({ identitytoken: 'token' })
  expect(await read({ auths }, 'localhost/a:1')).toBeUndefined()
  expect(await read({}, 'rancher/k3s:v1')).toBeUndefined()
})

it('asks the credential helper of the registry, and does without when it knows nothing', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'helper-'))
  dirs.push(dir)
  const helper = join(dir, 'docker-credential-own')
  writeFileSync(
    helper,
    '#!/bin/sh\nread -r r\n[ "$1 $r" = "get registry.test" ] || exit 1\necho \'{"Username":"u","Secret":"s"}\'\n',
  )
  chmodSync(helper, 0o755)
  vi.stubEnv('PATH', `${dir}${delimiter}${process.env.PATH}`)
  expect(await read({ credsStore: 'own' }, 'registry.test/a:1')).toEqual({
    username: 'u',
    password: 's',
    serveraddress: 'registry.test',
  })
  expect(await read({ credHelpers: { 'other.test': 'own' } }, 'other.test/a:1')).toBeUndefined()
  expect(await read({ credsStore: '../evil' }, 'registry.test/a:1')).toBeUndefined()
})

it('lists every login by the host that is contacted, wherever docker keeps it', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'helper-'))
  dirs.push(dir)
  const put = (name: string, text: string): void => {
    const path = join(dir, `docker-credential-${name}`)
    writeFileSync(path, `#!/bin/sh\nread -r r || true\ncase "$1 $r" in\n${text}\n*) exit 1 ;; esac\n`)
    chmodSync(path, 0o755)
  }
  const hub = 'https://index.docker.io/v1/'
  put(
    'store',
    `list*) echo '{"${hub}":"me","${hub}access-token":"me","https://kept.test":"u"}' ;;
"get ${hub}") echo '{"Username":"me","Secret":"hub"}' ;;
"get kept.test") echo '{"Username":"<token>","Secret":"long"}' ;;`,
  )
  put('own', `"get cloud.test:5000") echo '{"Username":"u","Secret":"s"}' ;;`)
  vi.stubEnv('PATH', `${dir}${delimiter}${process.env.PATH}`)
  const config = {
    auths: { 'plain.test': { auth }, 'https://old.test/v1/': { auth }, 'kept.test': {}, 'empty.test': {} },
    credsStore: 'store',
    credHelpers: { 'cloud.test:5000': 'own', 'gone.test': 'nobody' },
  }
  expect(Object.fromEntries(await registryLogins(config))).toEqual({
    'registry-1.docker.io': { username: 'me', password: 'hub' },
    'kept.test': { identitytoken: 'long' },
    'cloud.test:5000': { username: 'u', password: 's' },
    'plain.test': { username: 'me', password: 'pass:word' },
    'old.test': { username: 'me', password: 'pass:word' },
  })
  expect((await registryLogins({})).size).toBe(0)
})
