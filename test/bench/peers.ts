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

/**
 * What k3s' installer does on a host when nothing is to be downloaded, in its order: it hashes what is installed, makes the
 * links and scripts, writes the environment and the unit, enables, hashes again, cleans the rules and restarts, which returns
 * when the service says that it is ready.
 */
function installerSteps(role: 'server' | 'agent', environment: string): string {
  const unit = role === 'server' ? 'k3s' : 'k3s-agent'
  const hashes = `sha256sum /usr/local/bin/k3s /etc/systemd/system/${unit}.service /etc/systemd/system/${unit}.service.env 2>&1`
  const service = UNIT(role).replace(
    'ExecStart=',
    `EnvironmentFile=-/etc/systemd/system/${unit}.service.env\nExecStart=`,
  )
  return `before=$(${hashes}); /usr/local/bin/k3s --version >/dev/null
for tool in kubectl crictl ctr; do [ -e /usr/local/bin/$tool ] || ln -s k3s /usr/local/bin/$tool; done
for script in k3s-killall ${unit}-uninstall; do echo '#!/bin/sh' > /usr/local/bin/$script.sh; chmod 755 /usr/local/bin/$script.sh; done
systemctl disable ${unit} >/dev/null 2>&1
( umask 077; cat > /etc/systemd/system/${unit}.service.env ) <<'E'
${environment}
E
cat > /etc/systemd/system/${unit}.service <<'E'
${service}E
systemctl enable -q ${unit}; systemctl daemon-reload
[ "$before" = "$(${hashes})" ] && exit 0
for tables in iptables ip6tables; do $tables-save 2>/dev/null | grep -v KUBE- | grep -iv flannel | $tables-restore 2>/dev/null; done
systemctl restart ${unit}
`
}

/** Installs one host as the installer does: with k3s' own script where AIRLIFT_K3S_INSTALL names it, else in its steps. */
async function install(
  lab: Lab,
  host: LabHost,
  role: 'server' | 'agent',
  environment: readonly string[],
  config: string,
): Promise<void> {
  const script = process.env.AIRLIFT_K3S_INSTALL
  await ssh(lab, host, configOf(config, ''))
  if (script) {
    await execa('scp', [...options(lab), '-q', script, `root@${host.ip}:/root/install.sh`])
    const variables = environment.map((line) => `export ${line}`).join('\n')
    await ssh(
      lab,
      host,
      `${variables}\nINSTALL_K3S_SKIP_DOWNLOAD=true sh /root/install.sh ${role} >/dev/null 2>&1`,
    )
  } else await ssh(lab, host, installerSteps(role, environment.join('\n')))
}

/** The careful user's shell loop: host after host, copy, install, which waits; then wait for all nodes. */
export async function shellLoop(lab: Lab, k3s: K3sUnderTest, disable: string): Promise<void> {
  const [master, ...workers] = lab.hosts
  if (!master) throw new Error('the lab has no hosts')
  await stageByHand(lab, master, k3s)
  await install(lab, master, 'server', [], disable)
  const token = (await ssh(lab, master, 'cat /var/lib/rancher/k3s/server/node-token')).trim()
  for (const worker of workers) {
    await stageByHand(lab, worker, k3s)
    await install(lab, worker, 'agent', [`K3S_URL=https://${master.ip}:6443`, `K3S_TOKEN=${token}`], '')
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
