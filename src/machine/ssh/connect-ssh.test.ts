import { PassThrough } from 'node:stream'
import { expect, it } from 'vitest'
import { createContext } from '../../core/context.js'
import { connectSsh, type SshShared } from './connect-ssh.js'
import type { KeyFile, KeyStore } from './key-store.js'
import type { ResolvedHost } from './resolved-host.js'

const host = {
  ...{ alias: 'web1', hostName: '10.0.0.1', port: 22, user: 'root', identityAgent: undefined },
  ...{ identityFiles: ['/k/a'], identitiesOnly: false, identitiesNamed: true, hostKeys: 'off' },
  ...{ userKnownHosts: [], globalKnownHosts: [] },
} as unknown as ResolvedHost

it.each([
  ['with an error', new Error('read ECONNRESET')],
  ['quietly', undefined],
])('says so when the host hangs up %s while keys are read', async (_, error) => {
  const socket = new PassThrough()
  const load: KeyStore['load'] = async (file) => {
    socket.destroy(error)
    await new Promise((resolve) => socket.once('close', resolve))
    return { file, problem: undefined, blob: Buffer.from('a'), type: 'ssh-ed25519' } as KeyFile
  }
  const shared = {
    options: { askPass: false },
    ctx: createContext(),
    secrets: { given: () => false },
    keys: { load },
  } as unknown as SshShared
  await expect(connectSsh(host, socket, shared)).rejects.toMatchObject({
    code: 'E_SSH_UNREACHABLE',
    message: '10.0.0.1:22 closed the connection before the handshake',
    data: { code: 'ECONNRESET' },
  })
})
