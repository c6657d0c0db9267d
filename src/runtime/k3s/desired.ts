import { createHash } from 'node:crypto'
import { isSecretSetting } from '../../cluster/k3s-options.js'
import type { ClusterSpec, ConfigValue, NodeSpec } from '../../cluster/spec.js'
import { AirliftError } from '../../core/errors.js'
import { RECORD } from '../../machine/state-paths.js'
import { fillSecrets, secretNames, secretRef } from '../../plan/fill-secrets.js'
import { archOf } from '../../rootfs/arch-of.js'
import type { RootfsFile } from '../../rootfs/manifest.js'
import { selectFiles } from '../../rootfs/select-files.js'
import { chooseResolvConf } from '../preflight/resolv-conf.js'
import { recordedHost } from '../recorded-host.js'
import type { MachineWorld, World } from '../runtime.js'
import { hostConfig, type JoinPoint, nodeAddress, nodeName } from './config.js'
import { K3S, uninstallPath, unitName, unitPath } from './paths.js'
import { fillTemplate } from './template.js'
import { watchesImages } from './versions.js'

/** A small file that must be on a machine. */
export interface DesiredFile {
  readonly path: string
  readonly mode: string
  /** May hold `{{secret:NAME}}`. */
  readonly content: string
  readonly base64?: boolean
  /** k3s reads it only at start: a change needs a restart. */
  readonly restart: boolean
}

/** A blob that must be linked to a path. */
export interface DesiredLink {
  readonly path: string
  readonly mode: string
  readonly file: RootfsFile
}

/** Everything that must be on one machine before its service starts. */
export interface Desired {
  readonly unit: 'k3s' | 'k3s-agent'
  readonly init: 'systemd' | 'openrc'
  readonly links: readonly DesiredLink[]
  readonly files: readonly DesiredFile[]
  readonly binary: RootfsFile
  /** Files of an earlier registries.yaml, private keys among them, that the one of today does not name. */
  readonly stale: readonly string[]
}

/** Decides what one machine must hold. Pure. */
export function desiredState(
  spec: ClusterSpec,
  world: World,
  node: NodeSpec,
  machine: MachineWorld,
  join?: JoinPoint,
): Desired {
  const rootfs = world.rootfs
  if (!rootfs)
    throw new AirliftError('E_USAGE', 'no rootfs was given', {
      hint: 'name one: --rootfs k3s.airlift, or --version v1.33.1+k3s1',
    })
  const init = machine.facts.init
  if (init === 'none')
    throw new AirliftError('E_PREFLIGHT', `${machine.name} has neither systemd nor OpenRC`, {
      machine: machine.name,
    })
  const files = selectFiles(rootfs.manifest, archOf(machine.facts), node.role)
  const binary = files.find((file) => file.role === 'binary')
  if (!binary)
    throw new AirliftError('E_BUNDLE_INVALID', `the rootfs holds no binary for ${machine.facts.unameArch}`)
  const links: DesiredLink[] = [{ path: K3S.binary, mode: '0755', file: binary }]
  for (const file of files.filter((entry) => entry.role === 'images')) {
    links.push({ path: `${K3S.images}/${file.path.split('/').at(-1)}`, mode: '0644', file })
  }
  return {
    unit: unitName(node.role),
    init,
    links,
    files: desiredFiles(spec, world, node, machine, join),
    binary,
    stale: staleRegistryFiles(spec, machine),
  }
}

/** Only where the user gives a registries.yaml, and only files as airlift names them. */
function staleRegistryFiles({ registries }: ClusterSpec, { facts }: MachineWorld): string[] {
  if (!registries) return []
  const named = new Set(registries.files.map(({ path }) => path))
  const there = (facts.managed.fragments['k3s-registry-files'] ?? '').split('\n')
  return there.filter((path) => /\/registries\.d\/[^/]+\/(ca|cert|key)\.pem$/.test(path) && !named.has(path))
}

function desiredFiles(
  spec: ClusterSpec,
  world: World,
  node: NodeSpec,
  machine: MachineWorld,
  join: JoinPoint | undefined,
): DesiredFile[] {
  const resolv = chooseResolvConf(machine.facts)
  const resolvConf = resolv && ('path' in resolv ? resolv.path : K3S.resolvConf)
  const config = hostConfig({
    spec,
    node,
    machine,
    ...(join ? { join } : {}),
    ...(resolvConf ? { resolvConf } : {}),
  })
  const files: DesiredFile[] = [
    // First of all: a service without this record would look like somebody else's after an interruption.
    { path: RECORD, mode: '0600', content: record(spec, world, node, machine), restart: false },
    { path: K3S.config, mode: '0600', content: config, restart: true },
    tokenFile(join !== undefined),
    ...serviceFiles(world, node, machine),
  ]
  if (resolv && 'nameservers' in resolv) {
    const content = ownResolvConf(machine, resolv.nameservers)
    files.push({ path: K3S.resolvConf, mode: '0644', content, restart: true })
  }
  return [...files, ...clusterFiles(spec, node, join === undefined)]
}

/** Files of the user's that a node gets: registries.yaml with what it names, and on the first master the manifests. */
export function clusterFiles(spec: ClusterSpec, node: NodeSpec, first: boolean): DesiredFile[] {
  const files: DesiredFile[] = []
  if (spec.registries) {
    files.push({ path: K3S.registries, mode: '0600', content: secretRef('registries'), restart: true })
    for (const file of spec.registries.files)
      files.push({
        path: file.path,
        mode: file.mode,
        content: secretRef(`file:${file.path}`),
        base64: true,
        restart: true,
      })
  }
  if (node.role === 'master' && first) {
    for (const manifest of spec.manifests) {
      files.push({
        path: `${K3S.manifests}/${manifest.name}`,
        mode: '0600',
        content: secretRef(`manifest:${manifest.name}`),
        restart: false,
      })
    }
  }
  return files
}

/**
 * The first master must be given the bare password, since the cluster's CA does not exist yet. The others get the full token,
 * which holds the CA's digest: they refuse a server that is not the one they are meant to join.
 */
export function tokenFile(joins: boolean): DesiredFile {
  return {
    path: K3S.tokenFile,
    mode: '0600',
    content: `${secretRef(joins ? 'join-token' : 'token')}\n`,
    restart: true,
  }
}

/**
 * Where a resolver is configured that pods cannot reach, k3s would give them public ones, and an air-gapped cluster waits for
 * these in vain. Where there is no other, the node's own address refuses at once if nothing listens, and answers if a resolver
 * listens on all addresses.
 */
function ownResolvConf(machine: MachineWorld, nameservers: readonly string[]): string {
  const { search } = machine.facts.resolv
  const lines = (nameservers.length > 0 ? nameservers : [nodeAddress(machine)]).map(
    (server) => `nameserver ${server}`,
  )
  if (nameservers.length > 0 && search.length > 0) lines.unshift(`search ${search.join(' ')}`)
  const which = nameservers.length > 0 ? 'resolvers' : 'only resolvers'
  return `# Written by airlift: this host names ${which} that pods cannot reach.\n${lines.join('\n')}\n`
}

function serviceFiles(world: World, node: NodeSpec, machine: MachineWorld): DesiredFile[] {
  const unit = unitName(node.role)
  const init = machine.facts.init === 'openrc' ? 'openrc' : 'systemd'
  const fill = (name: string): string =>
    fillTemplate(world.templates, name, {
      unit,
      role: node.role,
      command: node.role === 'master' ? 'server' : 'agent',
    })
  const files: DesiredFile[] = [
    {
      path: unitPath(node.role, init),
      mode: init === 'systemd' ? '0644' : '0755',
      content: fill(init === 'systemd' ? 'k3s.service' : 'k3s.openrc'),
      restart: true,
    },
    { path: K3S.killall, mode: '0755', content: fill('k3s-killall.sh'), restart: false },
    { path: uninstallPath(node.role), mode: '0755', content: fill('k3s-uninstall.sh'), restart: false },
  ]
  if (init === 'openrc')
    files.push({
      path: `/etc/logrotate.d/${unit}`,
      mode: '0644',
      content: fill('k3s.logrotate'),
      restart: false,
    })
  return files
}

/** What airlift leaves on each machine so that any one of them is enough to find the cluster. No secrets. */
function record(spec: ClusterSpec, world: World, node: NodeSpec, machine: MachineWorld): string {
  const told = machine.facts.managed.record
  // In the order in which they came: naming them in another one is no change.
  const members = (list: readonly NodeSpec[], before: unknown): unknown => {
    const texts = list.map((entry) => recordedHost(entry, world.machines))
    const same =
      Array.isArray(before) && before.length === texts.length && texts.every((text) => before.includes(text))
    return same ? before : texts
  }
  const value = {
    name: spec.name,
    runtime: 'k3s',
    version: world.rootfs?.manifest.version,
    role: node.role,
    node: nodeName(machine),
    host: recordedHost(node, world.machines),
    // Workers learn only of masters: their files then stay as they are when other workers come and go.
    masters: members(spec.masters, told?.masters),
    ...(node.given ? { given: node.given } : {}),
    ...(node.role === 'master' ? { nodes: members(spec.nodes, told?.nodes), ...configOf(spec) } : {}),
  }
  return `${JSON.stringify(value, null, 2)}\n`
}

/** What the user set, so that nodes which join later get the same. Secrets are read from a master's own configuration. */
function configOf(spec: ClusterSpec): { config?: Record<string, ConfigValue> } {
  const entries = Object.entries(spec.config)
    .filter(([key, value]) => !isSecretSetting(key, value))
    .sort(([a], [b]) => (a < b ? -1 : 1))
  return entries.length > 0 ? { config: Object.fromEntries(entries) } : {}
}

/** What a machine lacks of what it must hold. */
export interface Difference {
  readonly missingBlobs: readonly RootfsFile[]
  readonly links: readonly DesiredLink[]
  readonly files: readonly DesiredFile[]
  readonly enable: boolean
  /** The service must be started, or restarted because of what changed. */
  readonly service: 'start' | 'restart' | 'none'
}

/** Compares what is with what must be. Pure. */
export function difference(desired: Desired, machine: MachineWorld, world: World): Difference {
  const found = new Map(machine.facts.managed.files.map((file) => [file.path, file]))
  const blobs = new Set(machine.facts.managed.blobs.map((blob) => blob.sha256))
  const linked = (link: DesiredLink): boolean => {
    const file = found.get(link.path)
    return (
      file !== undefined && (file.blob ?? file.sha256) === link.file.sha256 && sameMode(file.mode, link.mode)
    )
  }
  const links = desired.links.filter((link) => !linked(link))
  const missingBlobs = [
    ...new Map(
      desired.links
        .filter((link) => !blobs.has(link.file.sha256))
        .map((link) => [link.file.sha256, link.file]),
    ).values(),
  ]
  const files = changedFiles(desired.files, machine, world)
  const unit = machine.facts.managed.units.find((entry) => entry.unit === desired.unit)
  const unseen =
    links.some((link) => link.file.role === 'images') && !watchesImages(world.rootfs?.manifest.version ?? '')
  const changed =
    unseen || files.some((file) => file.restart) || links.some((link) => link.path === K3S.binary)
  const running = machine.installed.active
  return {
    missingBlobs,
    links,
    files,
    enable:
      !unit?.enabled ||
      files.some(
        (file) => file.path === unitPath(desired.unit === 'k3s' ? 'master' : 'worker', desired.init),
      ),
    service: running ? (changed ? 'restart' : 'none') : 'start',
  }
}

/** The files that are not on a machine as they must be. Pure. */
export function changedFiles(
  files: readonly DesiredFile[],
  machine: MachineWorld,
  world: World,
): DesiredFile[] {
  const found = new Map(machine.facts.managed.files.map((file) => [file.path, file]))
  return files.filter((file) => {
    const there = found.get(file.path)
    return !there || !sameMode(there.mode, file.mode) || !sameContent(file, there.sha256, world)
  })
}

const sameMode = (a: string, b: string): boolean => Number.parseInt(a, 8) === Number.parseInt(b, 8)

function sameContent(file: DesiredFile, sha256: string | undefined, world: World): boolean {
  // A secret that is not known yet cannot be there already.
  if (secretNames(file.content).some((name) => !world.secrets.has(name))) return false
  const text = fillSecrets(file.content, world.secrets)
  const bytes = Buffer.from(text, file.base64 ? 'base64' : 'utf8')
  return createHash('sha256').update(bytes).digest('hex') === sha256
}
