import { expect, it } from 'vitest'
import { createContext } from '../core/context.js'
import { container } from '../machine/docker/container.fixture.js'
import { createFakeEngine } from '../machine/docker/fake-engine.js'
import { writeTar } from '../machine/docker/fake-files.js'
import { createFakeMachine } from '../machine/fake/fake-machine.js'
import type { Action } from '../plan/plan.js'
import { createApiAsker } from './api-asker.js'
import { createApiDoors } from './api-door.js'
import { askApi, readAccess } from './api-request.js'
import { adminKubeconfig, createIdentity, SERVER_PASSWORD, startApiServer } from './api-server.fixture.js'

const NAME = 'airlift-dev-master-0'
const wait: Extract<Action, { kind: 'wait' }> = {
  kind: 'wait',
  what: 'the API server to be ready',
  script: 'false',
  timeoutMs: 60_000,
  diagnose: '',
  ask: { of: 'ready', node: NAME, role: 'master' },
}
const key = Buffer.from('key').toString('base64')
const kubeconfig = `
    certificate-authority-data: ${key}
    server: https://127.0.0.1:6443
    client-certificate-data: ${key}
    client-key-data: "${key}"
`

/** A master that runs and whose API never answers; time passes with every pause. */
async function master(
  options: { local?: boolean; log?: string; kubeconfig?: string; silent?: boolean } = {},
) {
  const engine = createFakeEngine({
    images: { img: {} },
    endpoint: { local: options.local ?? true, host: '127.0.0.1' },
  })
  const labels = { 'airlift.cluster': 'dev', 'airlift.role': 'master' }
  // Nothing listens at port 9, discard.
  const ports = [{ address: '127.0.0.1', hostPort: 9, containerPort: 6443, protocol: 'tcp' }] as const
  await engine.createContainer(container({ name: NAME, labels, ports }))
  await engine.startContainer(NAME)
  const log = options.log ?? 'level=info msg="starting"\n'
  if (!options.silent) engine.log(NAME, log)
  const file = (content: string) => ({ kind: 'file' as const, mode: '0600', content: Buffer.from(content) })
  const files = new Map([
    ['/var/log/k3s.log', file(log)],
    ...(options.kubeconfig ? [['/etc/rancher/k3s/k3s.yaml', file(options.kubeconfig)] as const] : []),
  ])
  await engine.putArchive(NAME, '/', writeTar(files))
  let now = 0
  const ctx = createContext({
    clock: {
      now: () => now,
      sleep: async (ms) => {
        now += ms
      },
    },
  })
  const explain = (log: string) =>
    log.includes('not authorized')
      ? ({ code: 'E_JOIN', message: 'another token', hint: 'use the same' } as const)
      : undefined
  const ask = createApiAsker({ engine, cluster: 'dev', doors: createApiDoors(engine, 6443), explain }, ctx)
  const machine = createFakeMachine({ id: `docker://${NAME}`, name: NAME })
  return { engine, ask: (timeoutMs = 60_000) => ask(machine, { ...wait, timeoutMs }, ctx.signal) }
}

it('leaves it to the container where the engine is on another computer', async () => {
  expect(await (await master({ local: false })).ask()).toBe('unavailable')
})

it('gives up in time, and says for what, with the end of the log', async () => {
  const log = 'level=info msg="a"\nlevel=error msg="b"\n'
  for (const own of [await master({ log }), await master({ log, kubeconfig })])
    await expect(own.ask()).rejects.toMatchObject({
      code: 'E_TIMEOUT',
      message: 'not done after 60 s: the API server to be ready',
      log: ['level=error msg="b"'],
    })
})

it('gives up with the last lines where none tells of an error, and with the cause where one does', async () => {
  await expect((await master()).ask()).rejects.toMatchObject({
    code: 'E_TIMEOUT',
    log: ['level=info msg="starting"'],
    hint: `see its whole log: docker logs ${NAME}`,
  })
  // Before anybody has looked at its log.
  await expect((await master({ log: 'not authorized\n' })).ask(1000)).rejects.toMatchObject({
    code: 'E_TIMEOUT',
    exit: 4,
    message: 'not done after 1 s: the API server to be ready: another token',
    log: ['not authorized'],
    hint: 'use the same',
  })
})

it('ends at once where the log tells that waiting will not help', async () => {
  await expect((await master({ log: 'not authorized\n' })).ask()).rejects.toMatchObject({
    code: 'E_JOIN',
    hint: 'use the same',
  })
})

it('reads the log where the engine has it, and from the container only where that keeps none', async () => {
  const files = async (silent: boolean): Promise<number> => {
    const own = await master({ log: 'not authorized\n', silent })
    await expect(own.ask()).rejects.toMatchObject({ code: 'E_JOIN' })
    const read = own.engine.calls.filter(
      ({ method, args }) => method === 'getArchive' && /log/.test(`${args[1]}`),
    )
    return read.length
  }
  expect(await files(false)).toBe(0)
  expect(await files(true)).toBe(1)
})

it('ends at once when k3s has ended', async () => {
  const own = await master()
  own.engine.exit(NAME, 3)
  await expect(own.ask()).rejects.toMatchObject({
    code: 'E_START',
    message: `k3s ended with exit code 3 in ${NAME}, and the container with it`,
  })
})

it('tells why the starts before ended where k3s ends again and again', async () => {
  const own = await master({ log: 'level=error msg="containerd exited: exit status 2"\n' })
  const look = own.engine.container.bind(own.engine)
  // Each look finds a start that is newer than all that was logged.
  const startedAt = new Date(Date.now() + 3_600_000).toISOString()
  let restarts = 0
  own.engine.container = async (name) => {
    const now = await look(name)
    return now && { ...now, startedAt, restarts: restarts++ }
  }
  await expect(own.ask()).rejects.toMatchObject({
    code: 'E_START',
    message: expect.stringMatching(/^k3s has ended \d+ times in airlift-dev-master-0$/),
    log: ['level=error msg="containerd exited: exit status 2"'],
  })
})

it('reads keys only from a kubeconfig that is whole', async () => {
  const place = { host: '127.0.0.1', port: 9 }
  expect(readAccess(kubeconfig.slice(0, 60), place)).toBeUndefined()
  const access = readAccess(kubeconfig, place)
  expect(access).toMatchObject({ ...place, ca: Buffer.from('key') })
  expect(access && (await askApi(access, { of: 'ready', node: NAME, role: 'master' }))).toBe('refused')
})

it('takes the word of the list of members for a vote that k3s has not noted yet', async () => {
  const us = createIdentity('airlift test')
  let learner = true
  let noted: string | undefined
  const node = () => ({
    metadata: { annotations: { 'etcd.k3s.cattle.io/node-name': 'm-1' } },
    status: {
      conditions: [
        { type: 'Ready', status: 'True' },
        ...(noted === undefined ? [] : [{ type: 'EtcdIsVoter', status: noted }]),
      ],
    },
  })
  const server = await startApiServer(us, (path) => ({
    status: 200,
    body: JSON.stringify(
      path === '/db/info' ? { members: [{ name: 'm-1', ...(learner ? { isLearner: true } : {}) }] } : node(),
    ),
  }))
  try {
    const admin = readAccess(adminKubeconfig(us), { host: '127.0.0.1', port: server.port })
    if (!admin) throw new Error('no keys')
    const access = { ...admin, password: SERVER_PASSWORD }
    const asked = { of: 'node', node: NAME, role: 'master', conditions: ['Ready', 'EtcdIsVoter'] } as const
    expect(await askApi(access, asked)).toBe('no')
    learner = false
    expect(await askApi(access, asked)).toBe('yes')
    // The admin alone is not told.
    expect(await askApi(admin, asked)).toBe('no')
    expect(server.asked).toContain('/db/info')
    // A member that left and came back is noted as such until the next tick of the leader.
    noted = 'False'
    expect(await askApi(access, asked)).toBe('yes')
    const before = server.asked.length
    noted = 'True'
    expect(await askApi(access, asked)).toBe('yes')
    expect(server.asked.slice(before)).toEqual([`/api/v1/nodes/${NAME}`])
    expect(await askApi(access, { ...asked, conditions: ['Ready', 'Other'] })).toBe('no')
  } finally {
    await server.close()
  }
})

it('has keys of before refused by a master that was made anew', async () => {
  const server = await startApiServer(createIdentity('anew'), () => ({ status: 200, body: 'ok' }))
  try {
    const access = readAccess(adminKubeconfig(createIdentity('before')), {
      host: '127.0.0.1',
      port: server.port,
    })
    expect(access && (await askApi(access, { of: 'ready', node: NAME, role: 'master' }))).toBe('refused')
  } finally {
    await server.close()
  }
})

it('keeps its connection, and makes another one when that was cut', async () => {
  const us = createIdentity('airlift test')
  const server = await startApiServer(us, () => ({ status: 200, body: 'ok' }))
  const access = readAccess(adminKubeconfig(us), { host: '127.0.0.1', port: server.port })
  if (!access) throw new Error('no keys')
  const question = { of: 'ready', node: NAME, role: 'master' } as const
  expect(await askApi(access, question)).toBe('yes')
  await server.close()
  const again = await startApiServer(us, () => ({ status: 200, body: 'ok' }), server.port)
  try {
    expect(await askApi(access, question)).toBe('yes')
  } finally {
    await again.close()
  }
})
