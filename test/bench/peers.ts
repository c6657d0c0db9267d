import { execa } from 'execa'
import type { K3sUnderTest, Lab, LabHost } from '../lab/lab.js'

const UNIT = (command: string): string => `[Unit]
After=network-online.target
[Install]
WantedBy=multi-user.target
[Service]
Type=notify
KillMode=process
Delegate=yes
LimitNOFILE=1048576
TasksMax=infinity
TimeoutStartSec=0
Restart=always
RestartSec=5s
ExecStart=/usr/local/bin/k3s ${command}
`

const options = (lab: Lab): string[] => [
  '-i',
  lab.key,
  '-o',
  `UserKnownHostsFile=${lab.knownHosts}`,
  '-o',
  'LogLevel=ERROR',
]

/** ssh with a script on stdin. */
export async function ssh(lab: Lab, host: LabHost, script: string): Promise<string> {
  const { stdout } = await execa('ssh', [...options(lab), `root@${host.ip}`, 'sh -s'], { input: script })
  return stdout
}

/** Copies the binary and the images of k3s into place, as an air-gapped installation by hand does. */
export async function stageByHand(lab: Lab, host: LabHost, k3s: K3sUnderTest): Promise<void> {
  await ssh(lab, host, 'mkdir -p /var/lib/rancher/k3s/agent/images /etc/rancher/k3s')
  await execa('scp', [...options(lab), '-q', k3s.binary, `root@${host.ip}:/usr/local/bin/k3s`])
  await execa('scp', [
    ...options(lab),
    '-q',
    k3s.images,
    `root@${host.ip}:/var/lib/rancher/k3s/agent/images/`,
  ])
  await ssh(lab, host, 'chmod 0755 /usr/local/bin/k3s')
}

const configOf = (disable: string, more: string): string =>
  `mkdir -p /etc/rancher/k3s; cat > /etc/rancher/k3s/config.yaml <<'E'\n${disable}${more}E\n`

/** Writes the configuration and the service of one host. */
export function installScript(
  role: 'server' | 'agent',
  token: string,
  server: string | undefined,
  disable: string,
): string {
  const unit = role === 'server' ? 'k3s' : 'k3s-agent'
  const more = `token: "${token}"\n${server ? `server: "${server}"\n` : ''}`
  return `${configOf(role === 'server' ? disable : '', more)}cat > /etc/systemd/system/${unit}.service <<'E'\n${UNIT(role)}E\nsystemctl daemon-reload; systemctl enable -q ${unit}\n`
}

/** Waits on the master until so many nodes are Ready. */
export function waitReady(lab: Lab, master: LabHost, count: number): Promise<string> {
  return ssh(
    lab,
    master,
    `while [ "$(k3s kubectl get nodes --no-headers 2>/dev/null | grep -c ' Ready')" != ${count} ]; do sleep 0.2; done`,
  )
}

/** The careful user's shell loop: host after host, copy, install, start and wait; then wait for all nodes. */
export async function shellLoop(lab: Lab, k3s: K3sUnderTest, disable: string): Promise<void> {
  const [master, ...workers] = lab.hosts
  if (!master) throw new Error('the lab has no hosts')
  await stageByHand(lab, master, k3s)
  await ssh(lab, master, `${installScript('server', 'bench-token', undefined, disable)}systemctl start k3s`)
  const token = (await ssh(lab, master, 'cat /var/lib/rancher/k3s/server/token')).trim()
  for (const worker of workers) {
    await stageByHand(lab, worker, k3s)
    await ssh(
      lab,
      worker,
      `${installScript('agent', token, `https://${master.ip}:6443`, disable)}systemctl start k3s-agent`,
    )
  }
  await waitReady(lab, master, lab.hosts.length)
}

/** The bound: everything is staged and configured already; all services are started at once with a known token. */
export async function startAllAtOnce(lab: Lab): Promise<void> {
  const [master, ...workers] = lab.hosts
  if (!master) throw new Error('the lab has no hosts')
  await Promise.all([
    ssh(lab, master, 'systemctl start --no-block k3s'),
    ...workers.map((worker) => ssh(lab, worker, 'systemctl start --no-block k3s-agent')),
  ])
  await waitReady(lab, master, lab.hosts.length)
}

/** Staging and configuration of all hosts at once, before {@link startAllAtOnce}. */
export async function prepareBound(lab: Lab, k3s: K3sUnderTest, disable: string): Promise<void> {
  const [master, ...workers] = lab.hosts
  if (!master) throw new Error('the lab has no hosts')
  await Promise.all(lab.hosts.map((host) => stageByHand(lab, host, k3s)))
  await ssh(lab, master, installScript('server', 'bench-token', undefined, disable))
  await Promise.all(
    workers.map((worker) =>
      ssh(lab, worker, installScript('agent', 'bench-token', `https://${master.ip}:6443`, disable)),
    ),
  )
}
