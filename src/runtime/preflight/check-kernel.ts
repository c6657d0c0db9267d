import { type CheckInput, configFlag, configList, configText, isContainer } from './machine-under-test.js'
import { type Problem, problem } from './problem.js'

/** cgroups, modules, iptables, security modules and kernel settings. */
export function checkKernelFeatures(input: CheckInput): Problem[] {
  return [
    ...checkCgroups(input),
    ...checkModules(input),
    ...checkIptables(input),
    ...checkSecurity(input),
    ...checkSysctls(input),
  ]
}

function checkCgroups({ spec, machine, rootfs }: CheckInput): Problem[] {
  const { version, controllers } = machine.facts.cgroups
  const fix = cgroupFix(machine.facts.init, machine.facts.unameArch)
  if (version === 0) return [problem('cgroup-missing', machine.name, 'no cgroups are mounted', { fix })]
  const missing = ['cpu', 'cpuset', 'memory', 'pids'].filter((name) => !controllers.includes(name))
  const found: Problem[] = []
  if (missing.length > 0) {
    found.push(
      problem('cgroup-missing', machine.name, `cgroup controller ${missing.join(', ')} is missing`, { fix }),
    )
  }
  if (
    version === 1 &&
    rootfs &&
    refusesCgroupV1(rootfs.version) &&
    !allowsCgroupV1(configList(spec, 'kubelet-arg'))
  ) {
    found.push(
      problem(
        'cgroup-v1',
        machine.name,
        `the machine uses cgroup v1, which the kubelet of ${rootfs.version} refuses`,
      ),
    )
  }
  return found
}

function cgroupFix(init: string, arch: string): string {
  if (init === 'openrc') return 'rc-update add cgroups boot && rc-service cgroups start'
  if (/^(arm|aarch64)/.test(arch)) {
    return 'add cgroup_memory=1 cgroup_enable=memory to the kernel command line (/boot/firmware/cmdline.txt) and reboot'
  }
  return 'boot without cgroup_disable=, with systemd.unified_cgroup_hierarchy=1'
}

/** Kubernetes 1.35 made `failCgroupV1` the kubelet's default. */
function refusesCgroupV1(version: string): boolean {
  const minor = /^v?1\.(\d+)\./.exec(version)?.[1]
  return minor !== undefined && Number(minor) >= 35
}

function allowsCgroupV1(kubeletArgs: readonly string[]): boolean {
  return kubeletArgs.some((arg) => /^(--)?fail-cgroupv1=false$/i.test(arg.trim()))
}

function checkModules({ spec, machine }: CheckInput): Problem[] {
  const { modules } = machine.facts
  const missing = (name: string): boolean => modules[name] === 'missing'
  const backend = configText(spec, 'flannel-backend') ?? 'vxlan'
  const wanted = ['overlay', 'br_netfilter', 'nf_conntrack']
  if (backend === 'vxlan') wanted.push('vxlan')
  if (backend.startsWith('wireguard')) wanted.push('wireguard')
  const names = wanted.filter(missing)
  // kube-proxy needs one of the two kinds of iptables.
  if (missing('nf_tables') && (missing('ip_tables') || missing('iptable_nat')))
    names.push('nf_tables or iptable_nat')
  if (names.length === 0) return []
  return [
    problem(
      'module-missing',
      machine.name,
      `kernel ${machine.facts.kernel} has no module ${names.join(', ')}`,
      {
        fix: moduleFix(machine.facts.os.id),
      },
    ),
  ]
}

function moduleFix(os: string): string {
  if (os === 'ubuntu') return 'apt install linux-modules-extra-$(uname -r), then reboot'
  if (/^(rhel|rocky|almalinux|centos|ol|fedora)$/.test(os))
    return 'dnf install kernel-modules-extra, then reboot'
  return 'install the modules of the running kernel (a reboot is due if the kernel was upgraded)'
}

function checkIptables({ spec, machine }: CheckInput): Problem[] {
  const { iptables } = machine.facts
  if (!iptables)
    return [problem('iptables-missing', machine.name, 'there is no iptables; k3s brings its own')]
  if (iptables.mode === 'legacy' || configFlag(spec, 'prefer-bundled-bin')) return []
  if (!/^1\.8\.[0-4]$/.test(iptables.version)) return []
  return [problem('iptables-buggy', machine.name, `iptables ${iptables.version} (nf_tables)`)]
}

function checkSecurity({ machine }: CheckInput): Problem[] {
  const { selinux, apparmor, os, tools } = machine.facts
  const found: Problem[] = []
  if (selinux === 'enforcing' && tools['k3s-selinux'] !== true) {
    found.push(problem('selinux-policy', machine.name, 'SELinux is enforcing without the policy of k3s'))
  }
  if (apparmor?.enabled && !apparmor.parser && /^(sles|opensuse|suse)/.test(os.id)) {
    found.push(
      problem('apparmor-parser', machine.name, `AppArmor is on in ${os.name}, apparmor_parser is missing`),
    )
  }
  return found
}

/** What the kubelet compares under `protect-kernel-defaults`. */
const KERNEL_DEFAULTS = {
  'vm.overcommit_memory': '1',
  'vm.panic_on_oom': '0',
  'kernel.panic': '10',
  'kernel.panic_on_oops': '1',
} as const

function checkSysctls({ spec, machine }: CheckInput): Problem[] {
  const { sysctls, virtualization } = machine.facts
  const found: Problem[] = []
  if (configFlag(spec, 'protect-kernel-defaults')) {
    const wrong = Object.entries(KERNEL_DEFAULTS).filter(
      ([name, value]) => sysctls[name] !== undefined && sysctls[name] !== value,
    )
    if (wrong.length > 0) {
      const shown = wrong.map(([name]) => `${name}=${sysctls[name]}`).join(', ')
      found.push(
        problem('kernel-defaults', machine.name, shown, {
          fix: wrong.map(([name, value]) => `sysctl -w ${name}=${value}`).join('; '),
        }),
      )
    }
  }
  const instances = Number(sysctls['fs.inotify.max_user_instances'])
  if (isContainer(virtualization) && instances > 0 && instances < 512) {
    found.push(problem('inotify', machine.name, `fs.inotify.max_user_instances is ${instances}`))
  }
  return found
}
