import { execa } from 'execa'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { lab, labDown, labMissing, labUp, repoFile } from '../lab/lab.js'

const NAME = 'test-entry'
const HOST = `${NAME}-1`
const RESOLVER = '169.254.11.53'

/** Stands for Docker's resolver: it says over which protocol it was asked. */
const RESOLVE = `
import socket, threading
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); udp.bind(("127.0.0.11", 0))
tcp = socket.socket(); tcp.bind(("127.0.0.11", 0)); tcp.listen()
def datagrams():
    while True: udp.sendto(b"udp", udp.recvfrom(512)[1])
threading.Thread(target=datagrams, daemon=True).start()
while True:
    peer = tcp.accept()[0]; peer.sendall(b"tcp"); peer.close()
`
/** Asks it as a pod does, which knows only the address that the node gives. */
const ASK = `
import socket
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); udp.settimeout(3); udp.sendto(b"?", ("${RESOLVER}", 53))
tcp = socket.create_connection(("${RESOLVER}", 53), 3)
print(udp.recv(9).decode(), tcp.recv(9).decode())
`

async function on(script: string, input?: string): Promise<string> {
  if (input === undefined) return lab('exec', HOST, '--', 'sh', '-c', script)
  const { stdout } = await execa('docker', ['exec', '-i', HOST, 'sh', '-c', script], { input })
  return stdout
}

/** The entry script's part for names, where its search domains, its iptables and its resolver can be chosen. */
describe.skipIf(labMissing())('the entry script of a node', () => {
  /** In the node: a network namespace of the host, which has the engine's own resolver in its first one. */
  const node = (script: string): Promise<string> => on(`ip netns exec node sh -c '${script}'`)
  const resolver = (path: string): Promise<string> => node(`PATH=${path}:$PATH sh /root/entry.sh resolver`)
  const resolvConf = (...lines: string[]): Promise<string> =>
    on(`mkdir -p /etc/netns/node && cat >/etc/netns/node/resolv.conf`, `${lines.join('\n')}\n`)

  beforeAll(async () => {
    await labUp(NAME, 1)
    await on('cat >/root/entry.sh', repoFile('rootfs/k3d/entry.sh'))
    await on('cat >/root/resolve.py', RESOLVE)
    await on('cat >/root/ask.py', ASK)
    await on(`for name in node pod; do ip netns add $name && ip -n $name link set lo up; done
      ip link add veth-node netns node type veth peer name veth-pod netns pod
      ip -n node addr add 10.9.9.1/24 dev veth-node && ip -n node link set veth-node up
      ip -n pod addr add 10.9.9.2/24 dev veth-pod && ip -n pod link set veth-pod up
      ip -n pod route add default via 10.9.9.1 && ip -n node route add default via 10.9.9.2`)
    await node('setsid python3 /root/resolve.py >/dev/null 2>&1 </dev/null & sleep 0.5')
  })
  afterAll(() => labDown(NAME))

  it.each(['nft', 'legacy'])(
    'leads pods to the resolver of the engine by iptables-%s, without search domains',
    async (flavour) => {
      const path = `/root/${flavour}`
      await on(
        `mkdir -p ${path} && ln -sf "$(command -v iptables-${flavour}-restore)" ${path}/iptables-restore`,
      )
      await resolvConf('search corp.example', 'nameserver 127.0.0.11', 'options ndots:5')
      const rules = (of: string): Promise<string> =>
        node(`iptables-${of}-save 2>/dev/null | grep -c AIRLIFT || :`)
      expect(await resolver(path)).toBe(`nameserver ${RESOLVER}`)
      try {
        const made = await rules(flavour)
        expect(Number(made)).toBeGreaterThan(0)
        expect(await rules(flavour === 'nft' ? 'legacy' : 'nft')).toBe('0')
        expect(await on('ip netns exec pod python3 /root/ask.py')).toBe('udp tcp')
        expect(await node('python3 /root/ask.py')).toBe('udp tcp')
        // Once more finds its rules and adds none.
        expect(await resolver(path)).toBe(`nameserver ${RESOLVER}`)
        expect(await rules(flavour)).toBe(made)
      } finally {
        const tables = ['nat -F', 'nat -X', 'filter -F']
        await node(
          `rm -f /run/airlift-led; ${tables.map((how) => `iptables-${flavour} -t ${how}`).join('; ')}`,
        )
      }
    },
  )

  it('passes on resolvers that pods can reach, and of that file nothing else', async () => {
    await resolvConf('search corp.example', 'nameserver 10.1.2.3', 'nameserver 10.1.2.4')
    expect(await resolver('/usr/sbin')).toBe('nameserver 10.1.2.3\nnameserver 10.1.2.4')
  })
})
