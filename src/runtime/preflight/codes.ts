/** How much a problem weighs: an `error` refuses, a `warning` is shown, `info` is told by doctor only. */
export type Severity = 'error' | 'warning' | 'info'

/** What a code stands for. docs/preflight.md is made of this table. */
export interface CodeInfo {
  /** The gravest that the check gives. */
  readonly severity: Severity
  /** Whether `--ignore` lets it pass. False where going on cannot work or would destroy something. */
  readonly ignorable: boolean
  /** What it means, for docs/preflight.md. */
  readonly means: string
  /** What to do about it. */
  readonly fix: string
}

const refused = (means: string, fix: string): CodeInfo => ({
  severity: 'error',
  ignorable: false,
  means,
  fix,
})
const error = (means: string, fix: string): CodeInfo => ({ severity: 'error', ignorable: true, means, fix })
const warning = (means: string, fix: string): CodeInfo => ({
  severity: 'warning',
  ignorable: true,
  means,
  fix,
})
const info = (means: string, fix: string): CodeInfo => ({ severity: 'info', ignorable: true, means, fix })

/** Every preflight code. A new check is one line here, and docs/preflight.md is written anew. */
export const PREFLIGHT_CODES = {
  unreachable: refused(
    'The machine cannot be connected to.',
    'See the message: address, port, firewall or sshd.',
  ),
  'ssh-auth': refused(
    'sshd refuses every key and password.',
    'Name the right user and key: `--user`, `--identity`, or load the agent.',
  ),
  'ssh-host-key': refused(
    'The host key is not the one in known_hosts.',
    'If the host was made anew: `ssh-keygen -R HOST`. Otherwise find out who answers.',
  ),
  'no-sudo': refused(
    'The user is not root and sudo does not work for it.',
    'Allow it sudo, give the password with `--ask-sudo-pass`, or log in as root.',
  ),
  'probe-failed': refused(
    'The machine could be reached, and the script that looks at it failed.',
    'See the message; the machine needs a POSIX shell with grep, sed and head.',
  ),
  'tool-missing': refused(
    'A program that airlift needs on the machine is not there.',
    'Install it; coreutils or busybox has it.',
  ),
  'arch-mismatch': refused(
    'The rootfs holds nothing for the processor of the machine.',
    'Build the rootfs with `--arch` for it as well.',
  ),
  'os-32bit': error(
    'The system is 32-bit. k3s is built for amd64, arm64 and armhf.',
    'Install a 64-bit system.',
  ),
  'no-init': refused(
    'The machine was booted with neither systemd nor OpenRC, so no service can be started.',
    'Use a machine that runs systemd or OpenRC; a plain container does not.',
  ),
  'kernel-old': error(
    'The kernel is older than what Kubernetes is tested with (4.19); below 4.5 it is refused.',
    'Upgrade the kernel.',
  ),
  'hostname-invalid': refused(
    'The host name cannot be the name of a node (RFC 1123).',
    '`hostnamectl set-hostname NAME`, with small letters, digits, `-` and `.`.',
  ),
  'duplicate-hostname': refused(
    'Two machines have one host name; the second node could never join.',
    '`hostnamectl set-hostname NAME` on one of them.',
  ),
  'duplicate-machine-id': error(
    'Two machines have one machine id: they were cloned. DHCP may give both the same address.',
    '`rm -f /etc/machine-id; systemd-machine-id-setup` on one of them, then reboot.',
  ),
  'duplicate-address': refused(
    'Two machines would be known to the cluster under one address, as behind NAT.',
    'Give each a network on which it has an address of its own.',
  ),
  mtu: warning(
    'The devices of the nodes carry packets of different lengths, or too short ones: what is longer than the shortest way is lost wherever nothing tells the sender.',
    'Give the devices one length: `ip link set dev DEVICE mtu 1500`, and write it into the configuration of the network.',
  ),
  'pod-network-small': error(
    'The network of the pods has fewer parts than there are nodes; the last nodes would never be Ready.',
    '`--set cluster-cidr=…` with a larger network, or smaller parts: `--set kube-controller-manager-arg=node-cidr-mask-size=25`.',
  ),
  'even-masters': warning(
    'An even number of masters with etcd survives no more failures than one fewer.',
    'Use 1, 3 or 5 masters.',
  ),
  'cores-low': warning('Fewer cores than k3s asks for on a master (2).', 'Use a bigger machine.'),
  'memory-low': error(
    'Less memory than k3s needs. Below 512 MiB (master) or 256 MiB (worker) it is refused; below 2 GiB or 512 MiB it is a warning.',
    'Use a bigger machine.',
  ),
  swap: info(
    'Swap is on. k3s tolerates it; memory limits of pods are then less exact.',
    '`swapoff -a` and remove it from /etc/fstab.',
  ),
  'cgroup-missing': error(
    'A cgroup controller that the kubelet needs is missing (cpu, cpuset, memory, pids).',
    'Raspberry Pi: add `cgroup_memory=1 cgroup_enable=memory` to the kernel command line and reboot. Alpine: `rc-update add cgroups boot`.',
  ),
  'cgroup-v1': error(
    'The machine uses cgroup v1, which the kubelet refuses from Kubernetes 1.35.',
    'Boot with cgroup v2 (`systemd.unified_cgroup_hierarchy=1`), or `--set kubelet-arg=fail-cgroupv1=false`.',
  ),
  'module-missing': error(
    'A kernel module that k3s needs can be found neither loaded nor on the disk.',
    'Install the package with the extra modules of the kernel, then reboot.',
  ),
  'iptables-buggy': warning(
    'iptables 1.8.0 to 1.8.4 with nftables loses or doubles rules.',
    '`--set prefer-bundled-bin=true`, or upgrade iptables.',
  ),
  'iptables-missing': info(
    'iptables is not installed. k3s brings its own; without it `doctor --clean` cannot look for rules that are left.',
    'Nothing, or install iptables.',
  ),
  'selinux-policy': error(
    'SELinux enforces, and the policy k3s-selinux is not installed.',
    'Install the package k3s-selinux and container-selinux.',
  ),
  'apparmor-parser': error(
    'AppArmor is on (SUSE), and apparmor_parser is missing: no container could start.',
    '`zypper install apparmor-parser`.',
  ),
  'kernel-defaults': error(
    'protect-kernel-defaults is set, and a kernel setting is not what the kubelet then demands.',
    '`sysctl -w NAME=VALUE`, and write it to /etc/sysctl.d.',
  ),
  inotify: warning(
    'fs.inotify.max_user_instances or max_user_watches is low; containers on one machine share it, and the kubelet ends without it.',
    '`sysctl -w fs.inotify.max_user_instances=8192 fs.inotify.max_user_watches=524288` on the machine that runs the containers.',
  ),
  'disk-space': error(
    'A file system has too little room for what will be put there, or would be more than 95 % full, which taints the node.',
    'Make room, or mount a bigger disk there.',
  ),
  'inode-space': error(
    'A file system has too few inodes left: container images are many small files.',
    'Make a file system with more inodes.',
  ),
  'read-only': refused(
    'root cannot write to a directory that k3s needs.',
    'Mount it writable: `mount -o remount,rw MOUNTPOINT`.',
  ),
  'data-link': error(
    'A directory that `reset` wipes is a symbolic link, and what it leads to may hold more than k3s puts there; `reset` refuses it. A link higher up, such as `/var/lib/rancher`, is none of these.',
    'Mount the disk or the directory there instead: `rm LINK && mkdir LINK && mount --bind DIRECTORY LINK`, and write it into /etc/fstab.',
  ),
  noexec: error(
    'A directory that programs are started from is mounted noexec.',
    '`mount -o remount,exec MOUNTPOINT`, and change /etc/fstab.',
  ),
  'filesystem-type': error(
    'The data directory is on overlayfs or a network file system, where container images cannot be unpacked.',
    'Mount a local disk (ext4, xfs) or a volume at /var/lib/rancher.',
  ),
  'no-default-route': error(
    'There is no default route; k3s needs one even without internet.',
    'Add one; a dummy will do: `ip link add dummy0 type dummy; ip link set dummy0 up; ip addr add 203.0.113.254/31 dev dummy0; ip route add default via 203.0.113.255 dev dummy0 metric 1000`.',
  ),
  'node-ip-unknown': refused(
    'No address of the machine can be chosen for the node.',
    'Give the machine a lasting address and a route to the first master.',
  ),
  'node-ip-mismatch': error(
    'The address that the node would use is not one of the machine, or is of another family than the first master.',
    'Correct `node-ip`, or the routes of the machine.',
  ),
  'node-ip-family': refused(
    'The pods have networks of IPv4 and IPv6 (or of one of them), and the machine has no lasting address of that family beside its own. k3s refuses a node without.',
    'Give the device of the node an address of that family, or choose `cluster-cidr` and `service-cidr` of the other one.',
  ),
  'cidr-overlap': error(
    'An address or route of the machine lies in the network of the pods or services.',
    '`--set cluster-cidr=…` and `--set service-cidr=…` with networks that are free.',
  ),
  'loopback-resolv': warning(
    'resolv.conf names resolvers on the machine itself, which pods cannot reach. They get the others that it or systemd-resolved names; where there is none, they resolve names of the cluster only.',
    'Put a resolver that pods can reach into /etc/resolv.conf, or `--set resolv-conf=FILE`.',
  ),
  'resolv-missing': warning(
    'resolv.conf names no resolver.',
    'Add a nameserver, unless pods need no names outside the cluster.',
  ),
  firewall: warning(
    'A firewall is on; it may hold up the nodes or their pods.',
    'Open the ports in the message, and trust the networks of pods and services.',
  ),
  'nm-cloud-setup': error(
    'nm-cloud-setup is enabled (RHEL in a cloud): its rules break the network of the pods.',
    '`systemctl disable --now nm-cloud-setup.service nm-cloud-setup.timer`, then reboot.',
  ),
  'proxy-without-noproxy': warning(
    'A proxy is set and NO_PROXY is not: traffic inside the cluster might go to the proxy.',
    'Set NO_PROXY to the networks of hosts, pods and services.',
  ),
  'port-in-use': error(
    'Another program listens on a port that k3s needs.',
    'Stop that program, or for the API server use `--set https-listen-port=PORT`.',
  ),
  'address-missing': error(
    "A port is to be published at an address that the engine's computer does not have.",
    'Name one of its addresses (`ip -brief address`), or leave it out: 127.0.0.1.',
  ),
  'ingress-port': warning(
    'Another program listens on 80 or 443, which traefik would take over.',
    'Stop it, or `--set disable=traefik`.',
  ),
  'clock-skew': error(
    'The clock is more than 30 seconds off: certificates are not valid yet, or any more.',
    'Set the clock: `chronyc makestep`, or `date -s`.',
  ),
  'clock-unsynchronized': warning(
    'Nothing keeps the clock right.',
    'Start chrony, systemd-timesyncd or ntpd.',
  ),
  leftover: error(
    'Another Kubernetes distribution, or what an earlier k3s left, is on a machine that is not of the cluster yet: also what k3s would read beside the configuration of airlift (`config.yaml.d`, `registries.yaml`, `K3S_…` variables of its service).',
    'Remove it with its own means: `kubeadm reset`, `k0s reset`, `rke2-uninstall.sh`, `k3s-uninstall.sh`; single files as the message says.',
  ),
  'foreign-cluster': refused(
    'The machine runs a k3s that airlift did not make, or belongs to another cluster of airlift.',
    'Take another machine, or remove that cluster first.',
  ),
  'container-engine': info(
    'Docker or another container engine runs there as well. k3s has its own and does not mind.',
    'Nothing.',
  ),
  'foreign-cni': info(
    '/etc/cni/net.d holds a network configuration of another program; k3s does not read it.',
    'Nothing.',
  ),
  'not-clean': error(
    '`doctor --clean`: something of airlift or k3s is left on the machine.',
    '`airlift reset` again, or what the message says.',
  ),
  'ssh-agent': info(
    'No SSH agent runs here, or it holds no key.',
    '`ssh-add`, or name a key with `--identity`.',
  ),
  'docker-engine': info(
    'No Docker engine answers here; only clusters in containers need one.',
    'Start Docker, if you want clusters in containers.',
  ),
  'engine-rootless': refused(
    'The container engine runs without root. k3s in containers needs privileged containers with real root.',
    'Use an engine that runs as root: see `docker context ls`, or set DOCKER_HOST. For hosts, name them with `--masters`.',
  ),
  'engine-privilege': refused(
    'The container engine makes no privileged containers for you, as a plugin of it may decide. Nodes are privileged containers.',
    'Use an engine that allows them: see `docker context ls`, or set DOCKER_HOST. For hosts, name them with `--masters`.',
  ),
  'engine-os': refused(
    'The container engine runs containers of another system than Linux.',
    'Switch Docker Desktop to Linux containers.',
  ),
  'name-taken': refused(
    'A container or network has a name that the cluster needs, and is not of this cluster; or the name of the cluster is that of another one which this computer knows, and which is not proven gone.',
    'Choose another `--name`, or remove what has the name. A cluster that is gone for good is forgotten by `airlift reset --name NAME --force`.',
  ),
  'network-missing': refused(
    'The network that `--network` names is not there.',
    'Make it first: `docker network create --subnet 192.168.77.0/24 NAME`.',
  ),
  'network-automatic': refused(
    'The network that `--network` names was made without a subnet. Docker gives fixed addresses only where one was chosen, and nodes must keep theirs.',
    'Make one with a subnet: `docker network create --subnet 192.168.77.0/24 NAME`.',
  ),
  'subnet-overlap': refused(
    'The network of the containers would overlap with another one: of the engine, of its computer, or of pods and services.',
    'Choose a free one with `--subnet`, or leave it out: airlift finds one.',
  ),
  'network-ipv6': refused(
    'A cluster of IPv4 and IPv6 is wanted, and the network that `--network` names has no IPv6.',
    'Make one with both: `docker network create --ipv6 --subnet 192.168.77.0/24 --subnet fd00:77::/64 NAME`.',
  ),
  'engine-ipv6': refused(
    "A cluster of IPv4 and IPv6 is wanted, and the kernel of the engine's computer has no IPv6.",
    'Boot it without `ipv6.disable=1`, or leave `--ip-family dual` out.',
  ),
  'mount-missing': refused(
    'A path that `--volume` mounts is not there. The engine would make an empty directory in its place.',
    'Make it, or correct the path.',
  ),
  'cores-missing': refused(
    "`--cpus` asks for more processors than the engine's computer has.",
    'Ask for fewer.',
  ),
  'gpu-runtime': warning(
    '`--gpus` is given, and the engine tells of no runtime of NVIDIA and of no devices that CDI describes.',
    "Install NVIDIA's container toolkit on the engine's computer: `nvidia-ctk runtime configure`, then restart the engine.",
  ),
  'local-disk': warning(
    'This computer has little room for bundles and the download cache.',
    'Make room in the file system of ~/.cache.',
  ),
  'node-version': error('This Node.js is older than airlift supports.', 'Install Node.js 20.19 or later.'),
} as const satisfies Record<string, CodeInfo>

/** The name of a preflight problem, stable across releases. */
export type PreflightCode = keyof typeof PREFLIGHT_CODES

/** All codes, in the order of the table. */
export const preflightCodes = Object.keys(PREFLIGHT_CODES) as readonly PreflightCode[]
