import type { ClusterSpec } from '../../cluster/spec.js'
import type { Context } from '../../core/context.js'
import { toAirliftError } from '../../core/errors.js'
import { Secret } from '../../core/secret.js'
import { collectFacts } from '../../machine/facts/collect-facts.js'
import type { Facts } from '../../machine/facts/facts.js'
import { routeTo } from '../../machine/facts/route-to.js'
import { RECORD } from '../../machine/state-paths.js'
import type { InstalledState, MachineWorld, ObserveInput, World } from '../runtime.js'
import { USER_FILES, USER_FILES_SCRIPT } from '../user-files.js'
import { clusterToken } from './cluster-token.js'
import { configSecrets, nodeName } from './config.js'
import { k3sFragments } from './fragments.js'
import { parseNodes } from './nodes.js'
import { K3S, uninstallPath, unitName, unitPath } from './paths.js'

/** Looks at every machine at once, one round trip each. A machine that cannot be looked at is in `unreachable`. */
export async function observeK3s(spec: ClusterSpec, input: ObserveInput, ctx: Context): Promise<World> {
  const [first] = spec.masters
  const unreachable = [...(input.unreachable ?? [])]
  const firstId =
    input.machines.find(({ node }) => node === first)?.machine.id ??
    unreachable.find(({ node }) => node === first)?.id
  const options = {
    files: watchedFiles(spec, input),
    units: ['k3s', 'k3s-agent'],
    fragments: { ...k3sFragments(), ...(input.toJoin ? { [USER_FILES]: USER_FILES_SCRIPT } : {}) },
    ...(first ? { routeTo: await routeTo(first.target, firstId) } : {}),
  }
  const machines = (
    await Promise.all(
      input.machines.map(async ({ machine, node }): Promise<MachineWorld | undefined> => {
        try {
          const facts = await collectFacts(machine, options, ctx)
          return { id: machine.id, name: machine.name, node, facts, installed: installedState(facts) }
        } catch (error) {
          if (ctx.signal.aborted) throw error
          unreachable.push({
            node,
            id: machine.id,
            error: toAirliftError(error, 'E_SSH_LOST'),
          })
          return undefined
        }
      }),
    )
  ).filter((machine) => machine !== undefined)
  return {
    machines: seenReady(machines),
    unreachable,
    secrets: worldSecrets(spec, machines),
    ...(input.rootfs ? { rootfs: input.rootfs } : {}),
    templates: input.templates,
  }
}

/** Files whose state the planner compares. */
export function watchedFiles(spec: ClusterSpec, input: Pick<ObserveInput, 'rootfs'>): string[] {
  const files: string[] = [
    K3S.binary,
    K3S.config,
    K3S.tokenFile,
    K3S.resolvConf,
    K3S.registries,
    K3S.killall,
    RECORD,
  ]
  for (const role of ['master', 'worker'] as const) {
    files.push(
      unitPath(role, 'systemd'),
      unitPath(role, 'openrc'),
      uninstallPath(role),
      `/etc/logrotate.d/${unitName(role)}`,
    )
  }
  for (const file of spec.registries?.files ?? []) files.push(file.path)
  for (const manifest of spec.manifests) files.push(`${K3S.manifests}/${manifest.name}`)
  for (const file of input.rootfs?.manifest.files ?? []) {
    if (file.role === 'images') files.push(`${K3S.images}/${file.path.split('/').at(-1)}`)
  }
  return files
}

/**
 * A node that nobody waited for (`--wait none`, `--wait api`) has no mark of having been ready. Where its cluster calls it so,
 * and it runs with the password that the cluster knows it by, it holds data as any other. Pure.
 */
export function seenReady(machines: readonly MachineWorld[]): MachineWorld[] {
  const ready = new Set(
    machines
      .flatMap(({ installed }) => (installed.nodes ?? []).filter((node) => node.ready))
      .map(({ name }) => name),
  )
  return machines.map((machine) => {
    const { facts, installed } = machine
    const known = facts.managed.fragments['k3s-node-password']?.trim() === 'kept'
    if (installed.initialized || !installed.active || !known || !ready.has(nodeName(machine))) return machine
    return { ...machine, installed: { ...installed, initialized: true, unmarked: true } }
  })
}

/** Reads what is installed from the facts of a machine. Pure. */
export function installedState(facts: Facts): InstalledState {
  const { fragments, units, record } = facts.managed
  const text = (name: string): string => fragments[name]?.trim() ?? ''
  const unit = units.find((entry) => entry.loaded && (entry.unit === 'k3s' || entry.unit === 'k3s-agent'))
  const role = unit ? (unit.unit === 'k3s' ? 'master' : 'worker') : undefined
  const version = /\b(v\d+\.\d+\.\d+\S*)/.exec(text('k3s-version'))?.[1]
  const nodes = text('k3s-nodes')
  return {
    ...(typeof record?.name === 'string' ? { cluster: record.name } : {}),
    ...(role ? { role } : {}),
    ...(version ? { version } : {}),
    active: units.some(
      (entry) =>
        (entry.unit === 'k3s' || entry.unit === 'k3s-agent') &&
        /^(active|activating|reloading)$/.test(entry.active),
    ),
    initialized: text('k3s-initialized') === 'yes',
    apiReady: text('k3s-api') === 'ok',
    ...(nodes ? { nodes: parseNodes(nodes, text('k3s-members')) } : {}),
    ...(unit && !record ? { foreign: `the service ${unit.unit}, which airlift did not make` } : {}),
    ...lacking(facts, role),
  }
}

/** A run that was killed leaves a service without its token, a removal that was killed too; the program may be gone as well. */
function lacking({ managed }: Facts, role: InstalledState['role']): Pick<InstalledState, 'lacks'> {
  if (role === undefined || managed.record === undefined) return {}
  const there = new Set(managed.files.map(({ path }) => path))
  const lacks = [K3S.binary, K3S.config, K3S.tokenFile].filter((path) => !there.has(path))
  return lacks.length > 0 ? { lacks } : {}
}

/** Everything that plans refer to by name. The token comes from a master that has one. */
export function worldSecrets(spec: ClusterSpec, machines: readonly MachineWorld[]): Map<string, Secret> {
  const secrets = new Map<string, Secret>(configSecrets(spec))
  const masters = machines.filter(
    (machine) => machine.node.role === 'master' && machine.installed.cluster === spec.name,
  )
  const full = masters
    .map((machine) => machine.facts.managed.fragments['k3s-join-token']?.trim())
    .find(Boolean)
  const written = masters
    .map((machine) => machine.facts.managed.fragments['k3s-token']?.trim())
    .find((token) => token && !token.startsWith('K10'))
  const token = clusterToken(spec, { full, written })
  if (token) secrets.set('token', new Secret(token))
  if (full) secrets.set('join-token', new Secret(full))
  if (spec.registries) {
    secrets.set('registries', spec.registries.content)
    for (const file of spec.registries.files)
      secrets.set(`file:${file.path}`, new Secret(file.content.toString('base64')))
  }
  for (const manifest of spec.manifests)
    secrets.set(`manifest:${manifest.name}`, new Secret(manifest.content))
  return secrets
}
