import { STATE_DIR } from '../../machine/state-paths.js'

/** Paths as k3s' own installer uses them; its users look for things there. */
export const K3S = {
  binary: '/usr/local/bin/k3s',
  dataDir: '/var/lib/rancher/k3s',
  config: '/etc/rancher/k3s/config.yaml',
  registries: '/etc/rancher/k3s/registries.yaml',
  /** Not k3s' own name: airlift keeps the token out of config.yaml, so that the file can be shown. */
  tokenFile: '/etc/rancher/k3s/token',
  resolvConf: '/etc/rancher/k3s/resolv.conf',
  kubeconfig: '/etc/rancher/k3s/k3s.yaml',
  images: '/var/lib/rancher/k3s/agent/images',
  manifests: '/var/lib/rancher/k3s/server/manifests',
  kubeletKubeconfig: '/var/lib/rancher/k3s/agent/kubelet.kubeconfig',
  killall: '/usr/local/bin/k3s-killall.sh',
} as const

/** `k3s` on masters, `k3s-agent` on workers. */
export function unitName(role: 'master' | 'worker'): 'k3s' | 'k3s-agent' {
  return role === 'master' ? 'k3s' : 'k3s-agent'
}

/** Where the init system looks for the service. */
export function unitPath(role: 'master' | 'worker', init: 'systemd' | 'openrc'): string {
  const unit = unitName(role)
  return init === 'systemd' ? `/etc/systemd/system/${unit}.service` : `/etc/init.d/${unit}`
}

/** The uninstall script, under the name that k3s gives it. */
export function uninstallPath(role: 'master' | 'worker'): string {
  return `/usr/local/bin/${unitName(role)}-uninstall.sh`
}

/** What a member of etcd leaves in its data when the others have put it out, as it ends. */
export const ETCD_TOMBSTONE = `${K3S.dataDir}/server/db/etcd/tombstone`

/** Label of a node that `stop --drain` cordoned, so that the next start uncordons it and none that the user cordoned. */
export const DRAINED_LABEL = 'airlift/cordoned'
/** On a machine: holds the moment of a start that has not been seen to its end. */
export const STARTING = `${STATE_DIR}/starting`
