import { IMAGES_DIR } from '../../machine/state-paths.js'

/** What stands inside the node image: the agreement between plans, the image and the scripts of rootfs/k3d. */
export const CONTAINER = {
  entryScript: '/usr/local/bin/airlift-node',
  lbScript: '/usr/local/bin/airlift-lb',
  /** Image archives of the rootfs, one volume for all nodes; the entry script links them into k3s' own directory. */
  images: IMAGES_DIR,
  dataDir: '/var/lib/rancher/k3s',
  kubelet: '/var/lib/kubelet',
  /** Logs of k3s and of pods. */
  log: '/var/log',
  /** Which addresses pods have. */
  cni: '/var/lib/cni',
  /** Ports of the load balancer and where each leads to; read again whenever it changes. */
  lbConfig: '/etc/airlift/lb',
  /** What a master remembers of the load balancer. */
  balancer: '/etc/airlift/balancer',
  /** What pods get as resolv.conf; the entry script writes it. */
  resolvConf: '/etc/rancher/k3s/resolv.conf',
  /** Name of the engine's computer, in nodes and pods. */
  hostAlias: 'host.airlift.internal',
} as const

/** Names of what a cluster has beside its containers. */
export const objectNames = {
  network: (cluster: string): string => `airlift-${cluster}`,
  images: (cluster: string): string => `airlift-${cluster}-images`,
  data: (container: string): string => container,
  kubelet: (container: string): string => `${container}-kubelet`,
  log: (container: string): string => `${container}-log`,
  cni: (container: string): string => `${container}-cni`,
  /** The load balancer that takes the place of another one, until it has. */
  lbNext: (cluster: string): string => `airlift-${cluster}-lb-next`,
} as const

/** The machine that steps of the engine itself belong to. */
export const ENGINE = 'engine'

/** The volumes of one node: what has to be there again when its container is replaced. */
export function nodeVolumes(
  container: string,
): readonly { readonly source: string; readonly target: string }[] {
  return [
    { source: objectNames.data(container), target: CONTAINER.dataDir },
    { source: objectNames.kubelet(container), target: CONTAINER.kubelet },
    { source: objectNames.log(container), target: CONTAINER.log },
    { source: objectNames.cni(container), target: CONTAINER.cni },
  ]
}
