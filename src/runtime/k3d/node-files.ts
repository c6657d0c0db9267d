import { portNodes } from '../../cluster/container/published-ports.js'
import { recordOfLabels } from '../../cluster/container-labels.js'
import type { ClusterSpec, NodeSpec } from '../../cluster/spec.js'
import { certificatePath } from '../../machine/state-paths.js'
import type { ContainerEntry } from '../../plan/engine-action.js'
import { secretRef } from '../../plan/fill-secrets.js'
import { clusterFiles, type DesiredFile, tokenFile } from '../k3s/desired.js'
import { K3S } from '../k3s/paths.js'
import { fillTemplate } from '../k3s/template.js'
import type { World } from '../runtime.js'
import { containerConfig, type Joining } from './config.js'
import { containerSecret, nodeOptions, recordOf } from './container-config.js'
import { CONTAINER } from './contract.js'
import { containerOf, containersOf, type Layout } from './layout.js'
import { balancerText } from './remembered-balancer.js'

/** Everything that must be in a node's container before k3s starts. Pure. */
export function nodeFiles(
  spec: ClusterSpec,
  world: World,
  layout: Layout,
  node: NodeSpec,
  joining: Joining,
): DesiredFile[] {
  const name = node.target.host
  return [
    script(world, CONTAINER.entryScript, 'entry.sh'),
    configFile(spec, world, layout, node, joining),
    // Known before anything starts, so that all nodes are made at once: every one has the bare password.
    tokenFile(false),
    ...clusterFiles(spec, node, joining.founder),
    ...certificateFiles(spec),
    ...(node.role === 'master' ? balancerFile(spec, world, layout) : []),
    ...nodeOptions(node).files.map(({ path, mode }) => ({
      path,
      mode,
      content: secretRef(containerSecret.file(name, path)),
      base64: true,
      restart: true,
    })),
  ]
}

/** What k3s is told in a node's container. Pure. */
export function configFile(...about: Parameters<typeof containerConfig>): DesiredFile {
  return { path: K3S.config, mode: '0600', content: containerConfig(...about), restart: true }
}

/** What the load balancer publishes, where there is one: a master knows it when its container, with all labels, is gone. */
function balancerFile(spec: ClusterSpec, world: World, layout: Layout): DesiredFile[] {
  const name = layout.lb ?? layout.portsLb
  if (name === undefined) return []
  const found = layout.balancer ? undefined : containerOf(world, name)
  const record = found
    ? recordOfLabels(found.labels)
    : recordOf(spec, layout, name, containersOf(spec).lb, false)
  if (!record) return []
  return [{ path: CONTAINER.balancer, mode: '0600', content: balancerText(record), restart: false }]
}

/** The certificates of `--ca`. Go's programs read every file of the directory beside the bundle that the image may have. */
export function certificateFiles(spec: ClusterSpec): DesiredFile[] {
  return (containersOf(spec).caCertificates ?? []).map((certificate, index) => ({
    path: certificatePath(index + 1),
    mode: '0644',
    content: certificate.toString('latin1'),
    restart: true,
  }))
}

/** What must be in the load balancer's container. Its list of targets is read again whenever it changes. */
export function lbFiles(spec: ClusterSpec, world: World, layout: Layout, name: string): DesiredFile[] {
  return [
    script(world, CONTAINER.lbScript, 'lb.sh'),
    { path: CONTAINER.lbConfig, mode: '0644', content: lbTargets(spec, layout, name), restart: false },
    ...containersOf(spec).lb.files.map(({ path, mode }) => ({
      path,
      mode,
      content: secretRef(containerSecret.file(name, path)),
      base64: true,
      restart: true,
    })),
  ]
}

/**
 * One line for each published port: `PORT PROTO TARGET…`. The API goes to every master that answers: `api` instead of `tcp`. A
 * target with both families is `ADDRESS,ADDRESS6`: an engine leads what comes over IPv6 to the address of IPv6.
 */
export function lbTargets(spec: ClusterSpec, layout: Layout, name: string): string {
  const targetOf = (container: string): string =>
    [layout.addresses.get(container) ?? container, layout.addresses6.get(container)].filter(Boolean).join(',')
  const to = (containers: readonly string[]): string => containers.map(targetOf).join(' ')
  const api = Number(spec.config['https-listen-port'] ?? 6443)
  // One that only publishes ports has nothing to do with the API.
  const leads = layout.lb === name || layout.apiAt === name
  const lines = leads ? [`${api} api ${to(spec.masters.map((node) => node.target.host))}`] : []
  for (const port of layout.ports.get(name) ?? []) {
    if (leads && port.containerPort === api && port.protocol === 'tcp') continue
    const nodes = portNodes(port, spec)
    const line = `${port.containerPort} ${port.protocol} ${to(nodes)}`
    if (nodes.length > 0 && !lines.includes(line)) lines.push(line)
  }
  return `${lines.join('\n')}\n`
}

/** A script of the package; a newer one counts from the next start on. */
function script(world: World, path: string, template: string): DesiredFile {
  return { path, mode: '0755', content: fillTemplate(world.templates, template), restart: false }
}

/** Files as they are put into a container that does not run. */
export function entries(files: readonly DesiredFile[]): ContainerEntry[] {
  return files.map(({ path, mode, content, base64 }) => ({
    path,
    mode,
    content,
    ...(base64 ? { base64 } : {}),
  }))
}
