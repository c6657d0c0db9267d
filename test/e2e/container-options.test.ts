import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { execa } from 'execa'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { buildBundle } from '../lab/build-bundle.js'
import { airlift, type CliResult, k3sUnderTest, LONG, labMissing, ROOT } from '../lab/lab.js'

// What the options of containers do, seen from inside of the containers of a real engine and, with a real k3s, in Kubernetes.

const ID = process.pid
const STANDIN = `airlift-test-options-${ID}:1`
const NAME = `test-o-${ID}`
const NETWORK = `test-options-${ID}`
const SUBNET = '172.30.249'
const real = k3sUnderTest().real
const docker = async (...args: string[]): Promise<string> => (await execa('docker', args)).stdout.trim()
const master = `airlift-${NAME}-master-0`
const worker = `airlift-${NAME}-worker-0`
const inside = (name: string, script: string): Promise<string> => docker('exec', name, 'sh', '-c', script)
const inspect = (name: string, format: string): Promise<string> => docker('inspect', '--format', format, name)
const kubectl = (...args: string[]): Promise<string> => docker('exec', master, 'k3s', 'kubectl', ...args)

/** Asks a resolver for the address of a name, as a pod would: one question over UDP, one over TCP. */
const ASK = `
import socket, struct, sys
name, server = sys.argv[1], sys.argv[2]
question = b"".join(bytes([len(part)]) + part.encode() for part in name.split(".")) + b"\\0\\0\\1\\0\\1"
query = struct.pack(">HHHHHH", 7, 0x100, 1, 0, 0, 0) + question
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); udp.settimeout(5); udp.sendto(query, (server, 53))
answers = [udp.recv(2000)]
tcp = socket.create_connection((server, 53), 5); tcp.sendall(struct.pack(">H", len(query)) + query)
answers.append(tcp.recv(2000)[2:])
print(" ".join(socket.inet_ntoa(answer[-4:]) for answer in answers))
`

describe.skipIf(labMissing())('the options of containers', () => {
  let home = ''
  const cli = (...args: string[]): Promise<CliResult> =>
    airlift([...args, '-o', 'json', '-q'], {
      home,
      env: { HTTP_PROXY: 'http://me:word@203.0.113.9:3128', NO_PROXY: 'lan.test', FROM_HERE: 'here' },
    })
  const run = (...more: string[]): Promise<CliResult> =>
    cli(
      ...['run', '--name', NAME, '--rootfs', `${home}/k3s.airlift`, ...(real ? [] : ['--image', STANDIN])],
      ...['--masters', '1', '--nodes', '1', '--network', NETWORK, ...more],
    )
  const options = (): string[] => [
    ...['--volume', `${home}/data:/data:ro@workers:*`, '--volume', `named-${ID}:/named@server:0`],
    ...['--env', 'COLOUR=red', '--env', 'FROM_HERE@agents[0]', '--file', `${home}/note:/etc/note`],
    ...['--k3s-arg=--node-label=by=argument@agent:0', '--node-label', 'zone=a'],
    ...['--runtime-label', 'team=x@masters:0', '--memory', '700m', '--cpus', '1'],
    ...['--ulimit', 'nofile=10000:15000', '--host-alias', '10.1.2.3:git.lan,dev.lan'],
    ...['--dns', '203.0.113.53', '--ca', `${home}/ca.pem`, '--registries', `${home}/registries.yaml`],
    ...['--docker-logins', '--manifests', `${home}/manifests`],
  ]

  beforeAll(async () => {
    home = mkdtempSync(`${tmpdir()}/airlift-container-options-`)
    for (const dir of ['data', 'manifests', '.docker']) mkdirSync(`${home}/${dir}`)
    writeFileSync(`${home}/data/x`, 'of the computer\n')
    writeFileSync(`${home}/note`, 'a note\n')
    writeFileSync(
      `${home}/manifests/note.yaml`,
      'apiVersion: v1\nkind: ConfigMap\nmetadata: { name: from-manifests, namespace: default }\ndata: { a: "1" }\n',
    )
    writeFileSync(
      `${home}/registries.yaml`,
      'mirrors:\n  docker.io: { endpoint: ["http://203.0.113.8:5000"] }\n',
    )
    const auth = Buffer.from('me:of-docker').toString('base64')
    writeFileSync(`${home}/.docker/config.json`, JSON.stringify({ auths: { 'reg.lan:5000': { auth } } }))
    const key = ['-keyout', '/dev/null', '-out', `${home}/ca.pem`, '-subj', '/CN=airlift-test']
    await execa('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', ...key])
    await buildBundle(k3sUnderTest(), `${home}/k3s.airlift`, home)
    await execa(`${ROOT}/lab/stand-in/image.sh`, [STANDIN])
    await docker('network', 'create', '--subnet', `${SUBNET}.0/24`, NETWORK)
    const made = await run(...options())
    expect(made.json, made.stderr).toMatchObject({ outcome: 'done' })
  }, LONG)
  afterAll(async () => {
    await cli('reset', '--name', NAME, '--yes')
    await execa('docker', ['network', 'rm', NETWORK], { reject: false })
    await execa('docker', ['volume', 'rm', '-f', `named-${ID}`], { reject: false })
    await execa('docker', ['rmi', '-f', STANDIN], { reject: false })
    rmSync(home, { recursive: true, force: true })
  }, LONG)

  it('mount what they name, where the filter says', async () => {
    expect(await inside(worker, 'cat /data/x')).toBe('of the computer')
    await expect(inside(worker, 'echo y > /data/x')).rejects.toThrow(/[Rr]ead-only/)
    expect(await inside(master, 'ls -d /data 2>/dev/null || echo none')).toBe('none')
    const mounts = '{{range .Mounts}}{{.Name}}:{{.Destination}} {{end}}'
    expect(await inspect(master, mounts)).toContain(`named-${ID}:/named`)
    expect(await inspect(worker, mounts)).not.toContain('/named')
  })

  it('set variables, files and labels, for all nodes or some', async () => {
    expect(await inside(master, 'echo $COLOUR-$FROM_HERE')).toBe('red-')
    expect(await inside(worker, 'echo $COLOUR-$FROM_HERE')).toBe('red-here')
    for (const name of [master, worker])
      expect(await inside(name, 'cat /etc/note; stat -c %a /etc/note')).toBe('a note\n644')
    const label = '{{index .Config.Labels "team"}}'
    expect([await inspect(master, label), await inspect(worker, label)]).toEqual(['x', ''])
    const labels = (name: string): Promise<string> =>
      kubectl('get', 'node', name, '-o', 'jsonpath={.metadata.labels.zone}/{.metadata.labels.by}')
    expect([await labels(master), await labels(worker)]).toEqual(['a/', 'a/argument'])
  })

  it('limit what a node has, and let it show no more than that', async () => {
    const format = '{{.HostConfig.Memory}} {{.HostConfig.NanoCpus}} {{json .HostConfig.Ulimits}}'
    for (const name of [master, worker]) {
      const [memory, cpus, ulimits = ''] = (await inspect(name, format)).split(' ')
      expect([memory, cpus]).toEqual([String(700 * 1024 ** 2), '1000000000'])
      expect(JSON.parse(ulimits)).toEqual([{ Name: 'nofile', Soft: 10_000, Hard: 15_000 }])
      expect(await inside(name, "awk '/^MemTotal/ { print $2 }' /proc/meminfo")).toBe(String(700 * 1024))
      expect(await inside(name, 'cat /sys/devices/system/cpu/online')).toMatch(/^\d+$/)
    }
    if (!real) return
    const capacity = 'jsonpath={.status.capacity.memory} {.status.capacity.cpu}'
    expect(await kubectl('get', 'node', worker, '-o', capacity)).toBe('716800Ki 1')
  })

  it('bring certificates, registries with their logins, manifests and the proxy', async () => {
    for (const name of [master, worker]) {
      expect(await inside(name, 'cat /etc/ssl/certs/airlift-1.pem')).toContain('BEGIN CERTIFICATE')
      const registries = await inside(
        name,
        'cd /etc/rancher/k3s; stat -c %a registries.yaml; cat registries.yaml',
      )
      expect(registries).toMatch(/^600\n/)
      for (const part of ['http://203.0.113.8:5000', 'reg.lan:5000', 'of-docker'])
        expect(registries).toContain(part)
      expect(await inside(name, 'echo $HTTP_PROXY $http_proxy')).toBe(
        'http://me:word@203.0.113.9:3128 http://me:word@203.0.113.9:3128',
      )
      const except = await inside(name, 'echo $NO_PROXY')
      for (const part of ['lan.test', `${SUBNET}.0/24`, '10.42.0.0/16', '10.43.0.0/16'])
        expect(except).toContain(part)
      expect(await inspect(name, '{{json .Config.Labels}}')).not.toMatch(/of-docker|me:word/)
    }
    await expect
      .poll(() => kubectl('get', 'configmap', 'from-manifests', '-o', 'jsonpath={.data.a}').catch(() => ''), {
        timeout: 60_000,
        interval: 1000,
      })
      .toBe('1')
  })

  it(
    'give names to nodes and pods, before and after a restart',
    async () => {
      const names = async (): Promise<void> => {
        for (const name of [master, worker]) {
          const hosts = await inside(name, 'cat /etc/hosts')
          expect(hosts).toMatch(/^10\.1\.2\.3\s+git\.lan$/m)
          expect(hosts).toMatch(/^\d+\.\d+\.\d+\.\d+\s+host\.airlift\.internal$/m)
        }
        const manifest = '/var/lib/rancher/k3s/server/manifests/airlift-hosts.yaml'
        const told = await inside(master, `cat ${manifest}`)
        for (const part of [
          'coredns-custom',
          '10.1.2.3 git.lan',
          '10.1.2.3 dev.lan',
          'host.airlift.internal',
        ])
          expect(told).toContain(part)
      }
      await names()
      await docker('restart', '-t', '3', worker, master)
      await expect
        .poll(async () => (await cli('status', '--name', NAME)).exitCode, {
          timeout: 120_000,
          interval: 1000,
        })
        .toBe(0)
      await names()
    },
    LONG,
  )

  it(
    'have pods resolve through the node, over UDP and TCP, without search domains of the computer',
    async () => {
      expect(await inspect(worker, '{{json .HostConfig.Dns}}')).toBe('["203.0.113.53"]')
      const address = `{{(index .NetworkSettings.Networks "${NETWORK}").IPAddress}}`
      for (const name of [master, worker]) {
        expect(await inside(name, 'cat /etc/rancher/k3s/resolv.conf')).toBe('nameserver 169.254.11.53')
        // As the packets of a pod do, those of this container come from outside of the node's own network stack.
        const node = await inspect(name, address)
        const script = `ip route add 169.254.11.53/32 via ${node} && python3 -c "$ASK" ${worker} 169.254.11.53`
        const pod = ['--rm', '--network', NETWORK, '--cap-add', 'NET_ADMIN', '--env', `ASK=${ASK}`]
        const answer = await docker('run', ...pod, '--entrypoint', 'sh', STANDIN, '-c', script)
        const wanted = await inspect(worker, address)
        expect(answer).toBe(`${wanted} ${wanted}`)
        expect(wanted).toContain(`${SUBNET}.`)
        // Docker's own rules are as they were: its resolver answers the node itself too.
        expect(await inside(name, `getent hosts ${worker} || nslookup ${worker}`)).toContain(wanted)
      }
    },
    LONG,
  )

  it(
    'are found as they are by the same command, and each other value is refused by its flag',
    async () => {
      const again = await run(...options())
      expect(again.json, again.stderr).toMatchObject({ outcome: 'unchanged' })
      const other = options().map((word) => (word === '203.0.113.53' ? '203.0.113.54' : word))
      const refused = await run(...other)
      expect(refused).toMatchObject({ exitCode: 2, json: { error: { code: 'E_REMOVE_REFUSED' } } })
      expect(JSON.stringify(refused.json)).toContain('--dns')
    },
    LONG,
  )

  it(
    'are gone after the reset, but for the network and the volume of the user',
    async () => {
      expect((await cli('reset', '--name', NAME, '--yes')).exitCode).toBe(0)
      const of = ['--filter', `label=airlift.cluster=${NAME}`]
      expect(await docker('ps', '-aq', ...of)).toBe('')
      expect(await docker('volume', 'ls', '-q', ...of)).toBe('')
      expect(await docker('network', 'ls', '-q', '--filter', `name=^${NETWORK}$`)).not.toBe('')
      expect(await docker('volume', 'ls', '-q', '--filter', `name=^named-${ID}$`)).toBe(`named-${ID}`)
    },
    LONG,
  )
})
