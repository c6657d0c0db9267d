import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import type { RegistryLogin } from '../machine/docker/registry-auth.js'
import { createSpecIo } from './local-spec-io.js'
import { type DockerLogins, loadRegistries } from './registries.js'

describe('logins of docker', () => {
  const logins: DockerLogins = new Map<string, RegistryLogin>([
    ['registry-1.docker.io', { username: 'me', password: '0123' }],
    ['b.lan:5000', { username: 'docker', password: 'd' }],
    ['c.lan', { identitytoken: 'long' }],
  ])
  const withLogins = async (text: string | undefined): Promise<unknown> => {
    const io = { readFile: async () => Buffer.from(text ?? expect.unreachable('there is no file')) }
    const { registries, warnings } = await loadRegistries(
      text === undefined ? undefined : 'r.yaml',
      io,
      logins,
    )
    expect(warnings).toEqual([])
    return parse(registries.content.reveal(), { version: '1.1' })
  }

  it('are enough', async () => {
    expect(await withLogins(undefined)).toEqual({
      configs: {
        'registry-1.docker.io': { auth: { username: 'me', password: '0123' } },
        'b.lan:5000': { auth: { username: 'docker', password: 'd' } },
        'c.lan': { auth: { identity_token: 'long' } },
      },
    })
  })

  it('are for hosts of which the file has none, and leave all else of it', async () => {
    const text =
      'mirrors:\n  docker.io: { endpoint: ["https://b.lan:5000", "https://c.lan"] }\nconfigs:\n  b.lan:5000: { auth: { username: a, password: b } }\n  c.lan: { tls: { insecure_skip_verify: true } }'
    expect(await withLogins(text)).toMatchObject({
      mirrors: { 'docker.io': {} },
      configs: {
        'b.lan:5000': { auth: { username: 'a', password: 'b' } },
        'c.lan': { auth: { identity_token: 'long' }, tls: { insecure_skip_verify: true } },
        'registry-1.docker.io': { auth: { username: 'me', password: '0123' } },
      },
    })
  })

  it('come from where docker of this computer keeps them, and only when they are asked for', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'airlift-io-'))
    try {
      const auth = Buffer.from('me:secret').toString('base64')
      await mkdir(join(directory, '.docker'))
      await writeFile(
        join(directory, '.docker/config.json'),
        JSON.stringify({ auths: { 'r.lan': { auth } } }),
      )
      await writeFile(join(directory, 'r.yaml'), 'mirrors:\n  a: { endpoint: ["https://r.lan"] }\n')
      const io = createSpecIo(directory, { env: { HOME: directory } })
      const text = async (...args: Parameters<typeof io.loadRegistries>): Promise<string> =>
        (await io.loadRegistries(...args)).registries.content.reveal()
      expect(await text('r.yaml', { dockerLogins: true })).toContain('secret')
      expect(await text(undefined, { dockerLogins: true })).toContain('secret')
      expect(await text('r.yaml')).not.toContain('secret')
      const elsewhere = createSpecIo(directory, { env: { HOME: directory, DOCKER_CONFIG: '/nowhere' } })
      expect((await elsewhere.loadRegistries(undefined, { dockerLogins: true })).warnings).toEqual([
        '--docker-logins: docker is logged in nowhere on this computer',
      ])
    } finally {
      await rm(directory, { recursive: true })
    }
  })
})
