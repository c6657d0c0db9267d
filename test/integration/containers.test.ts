import { createReadStream, statSync } from 'node:fs'
import { createConnection, type Socket } from 'node:net'
import { execa } from 'execa'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { defaultLimits, systemClock } from '../../src/core/context.js'
import { silentEvents } from '../../src/core/events.js'
import { connectEngine } from '../../src/machine/docker/connect-engine.js'
import type { Engine } from '../../src/machine/docker/engine.js'
import { buildNodeImage } from '../../src/rootfs/node-image.js'
import { k3sUnderTest, labMissing, ROOT } from '../lab/lab.js'

// What runs inside of containers, on a real engine: the node image, and the load balancer's script in the stand-in's image.

const RUN = `airlift-test-${process.pid}`
const SUBNET = '172.30.251'
const REF = `${RUN}/node:1`
const STANDIN = `${RUN}/standin:1`
const docker = async (...args: string[]): Promise<string> => (await execa('docker', args)).stdout
const real = (): boolean => !labMissing() && k3sUnderTest().real

const ctx = {
  signal: new AbortController().signal,
  events: silentEvents,
  clock: systemClock,
  limits: defaultLimits,
  offline: false,
  env: process.env,
}

describe.skipIf(!real())('a node image made of a real k3s', () => {
  let engine: Engine
  beforeAll(async () => {
    engine = await connectEngine(ctx)
  })
  afterAll(async () => {
    await engine.removeImage(REF)
    await engine.close()
  })

  it('has k3s, a shell, iptables and the labels, and is made once', async () => {
    const { binary, version } = k3sUnderTest()
    const request = {
      ref: REF,
      arch: (await engine.info()).arch,
      version,
      binary: () => createReadStream(binary),
      sizeBytes: statSync(binary).size,
      sha256: 'c'.repeat(64),
    }
    await buildNodeImage(engine, request, ctx)
    const shell = [
      'run',
      '--rm',
      '--network',
      'none',
      '--cap-add',
      'NET_ADMIN',
      '--entrypoint',
      '/bin/sh',
      REF,
    ]
    const out = await docker(
      ...shell,
      '-c',
      'k3s --version; iptables --version; stat -c %a /tmp; mount --help 2>&1 | head -n 1',
    )
    expect(out).toContain(version)
    expect(out).toMatch(/^iptables v1/m)
    expect(out).toMatch(/^1777$/m)
    const first = (await engine.image(REF))?.id
    await buildNodeImage(engine, request, ctx)
    expect((await engine.image(REF))?.id).toBe(first)
    expect((await docker('ps', '-aq', '--filter', 'name=airlift-unpack-cccccccccccc')).trim()).toBe('')
  })
})

if (!real())
  process.stderr.write('SKIPPED: a node image made of a real k3s (set AIRLIFT_K3S and AIRLIFT_K3S_IMAGES)\n')

/** Answers each connection with its name, then echoes. */
const TARGET = `
import socket,threading,os
name=os.uname().nodename.encode()
def udp():
    u=socket.socket(socket.AF_INET,socket.SOCK_DGRAM); u.bind(("",53))
    while 1:
        d,a=u.recvfrom(2000); u.sendto(name,a)
threading.Thread(target=udp,daemon=True).start()
def one(c):
    c.sendall(name+b"\\n")
    while 1:
        d=c.recv(4096)
        if not d: break
        c.sendall(d)
s=socket.socket(); s.setsockopt(socket.SOL_SOCKET,socket.SO_REUSEADDR,1); s.bind(("",80)); s.listen(100)
while 1:
    c,_=s.accept(); threading.Thread(target=one,args=(c,),daemon=True).start()
`

describe.skipIf(labMissing())('the load balancer', () => {
  const lb = `${RUN}-lb`
  const target = (i: number): string => `${RUN}-t${i}`
  let port = 0

  beforeAll(async () => {
    await execa(`${ROOT}/lab/stand-in/image.sh`, [STANDIN])
    await docker('network', 'create', '--subnet', `${SUBNET}.0/24`, RUN)
    for (const i of [1, 2, 3]) {
      await docker(
        'run',
        '-d',
        '--name',
        target(i),
        '--hostname',
        `t${i}`,
        '--network',
        RUN,
        '--ip',
        `${SUBNET}.1${i}`,
        '--entrypoint',
        'python3',
        STANDIN,
        '-c',
        TARGET,
      )
    }
    await docker(
      'create',
      '--name',
      lb,
      '--network',
      RUN,
      '--cap-add',
      'NET_ADMIN',
      '--sysctl',
      'net.ipv4.ip_forward=1',
      '--tmpfs',
      '/run',
      '-p',
      '127.0.0.1::8080',
      '--entrypoint',
      '/bin/sh',
      STANDIN,
      '/usr/local/bin/airlift-lb',
    )
    await docker('cp', `${ROOT}/rootfs/k3d/lb.sh`, `${lb}:/usr/local/bin/airlift-lb`)
    await docker('start', lb)
    await configure(`8080 tcp ${SUBNET}.11:80 ${SUBNET}.12:80\nnonsense\n53 udp ${SUBNET}.11 ${SUBNET}.12\n`)
    port = Number((await docker('port', lb, '8080/tcp')).split(':').at(-1))
  })
  afterAll(async () => {
    await execa('docker', ['rm', '-fv', lb, target(1), target(2), target(3)], { reject: false })
    await execa('docker', ['network', 'rm', RUN], { reject: false })
    await execa('docker', ['rmi', STANDIN], { reject: false })
  })

  const configure = async (text: string): Promise<void> => {
    const command =
      'mkdir -p /etc/airlift && cat > /etc/airlift/lb.new && mv /etc/airlift/lb.new /etc/airlift/lb'
    await execa('docker', ['exec', '-i', lb, 'sh', '-c', command], { input: text })
  }
  const status = (): Promise<string> => docker('exec', lb, 'sh', '/usr/local/bin/airlift-lb', 'status')

  /** A new connection and the name of its target. */
  const connect = (): Promise<{ socket: Socket; name: string }> =>
    new Promise((resolve, reject) => {
      const socket = createConnection({ host: '127.0.0.1', port })
      socket.setTimeout(3_000, () => socket.destroy(new Error('no answer')))
      socket.once('data', (data) => {
        socket.setTimeout(0)
        resolve({ socket, name: data.toString().trim() })
      })
      socket.once('error', reject)
      socket.once('close', () => reject(new Error('closed')))
    })
  const seen = async (count: number): Promise<Set<string>> => {
    const names = new Set<string>()
    for (let i = 0; i < count; i++) {
      const { socket, name } = await connect()
      names.add(name)
      socket.destroy()
    }
    return names
  }
  const echoes = (socket: Socket): Promise<boolean> =>
    new Promise((resolve) => {
      socket.once('data', () => resolve(true))
      socket.once('error', () => resolve(false))
      socket.once('close', () => resolve(false))
      socket.write('ping')
    })

  it('spreads connections over the targets and passes over lines that it does not understand', async () => {
    await expect
      .poll(async () => [...(await seen(20).catch(() => []))].sort(), { timeout: 20_000 })
      .toEqual(['t1', 't2'])
    expect(
      await docker('logs', lb)
        .then(() => execa('docker', ['logs', lb]))
        .then((all) => all.stderr),
    ).toContain('not understood: nonsense')
    const ask = `import socket;u=socket.socket(socket.AF_INET,socket.SOCK_DGRAM);u.settimeout(3);u.sendto(b"x",(socket.gethostbyname("${lb}"),53));print(u.recv(9).decode())`
    expect(await docker('exec', target(3), 'python3', '-c', ask)).toMatch(/^t[12]$/)
  })

  it('takes up a change without a restart, and leaves connections alone', async () => {
    const held = await Promise.all(Array.from({ length: 6 }, connect))
    await configure(`8080 tcp ${SUBNET}.13:80\n`)
    await expect.poll(async () => [...(await seen(10))], { timeout: 20_000 }).toEqual(['t3'])
    expect(await Promise.all(held.map(({ socket }) => echoes(socket)))).toEqual(held.map(() => true))
    for (const { socket } of held) socket.destroy()
  })

  it('leaves out what does not answer, ends its connections, and takes it back', async () => {
    await configure(`8080 tcp ${SUBNET}.12:80 ${SUBNET}.13:80\n`)
    await expect.poll(async () => (await seen(20)).size, { timeout: 20_000 }).toBe(2)
    let held: Socket | undefined
    while (!held) {
      const { socket, name } = await connect()
      if (name === 't3') held = socket
      else socket.destroy()
    }
    // Gone without a word: nothing tells the client.
    await docker('network', 'disconnect', RUN, target(3))
    await expect.poll(status, { timeout: 20_000 }).toContain(`8080 tcp ${SUBNET}.13:80 down`)
    expect([...(await seen(12))]).toEqual(['t2'])
    const connection = held
    const ended = new Promise<string>((resolve) => {
      connection.once('error', (error) => resolve(error.message))
      connection.once('close', () => resolve('closed'))
    })
    const writing = setInterval(() => connection.write('x'), 200)
    expect(await ended).toMatch(/ECONNRESET|EPIPE|closed/)
    clearInterval(writing)
    await docker('network', 'connect', '--ip', `${SUBNET}.13`, RUN, target(3))
    await expect.poll(async () => (await seen(20)).size, { timeout: 20_000 }).toBe(2)
  })

  it('keeps all targets when none answers', async () => {
    await docker('kill', target(2), target(3))
    await expect.poll(status, { timeout: 20_000 }).toMatch(/12:80 down[\s\S]*13:80 down/)
    expect(await docker('exec', lb, 'iptables', '-t', 'nat', '-S', 'AIRLIFT-LB')).toMatch(/12:80[\s\S]*13:80/)
    await docker('start', target(2), target(3))
    await expect.poll(async () => (await seen(20).catch(() => new Set())).size, { timeout: 20_000 }).toBe(2)
  })

  it('ends by itself when it is told to, before it is killed', async () => {
    await docker('stop', '-t', '10', lb)
    expect(await docker('inspect', '-f', '{{.State.ExitCode}}', lb)).toBe('0')
  })
})
