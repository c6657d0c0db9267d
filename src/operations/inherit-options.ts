import { parseNodeTaint } from '../cluster/labels.js'
import type { ClusterSpec, Given, NodeSpec, Taint } from '../cluster/spec.js'
import type { Context } from '../core/context.js'
import type { EngineContainer } from '../machine/docker/engine.js'
import { readContainerFile } from '../rootfs/tar/read-container-file.js'
import type { MachineWorld, World } from '../runtime/runtime.js'
import { type CommonOption, commonOptions, withCommon } from './common-options.js'
import { connectToEngine } from './container-session.js'
import { keptCertificates, keptOptions, keptProxy } from './kept-options.js'
import type { OperationDeps } from './session.js'

/** What is looked at to find what the nodes of a cluster have in common. */
export interface InheritInput {
  readonly joining: ClusterSpec
  /** The cluster as it was found. */
  readonly known: ClusterSpec
  readonly world: World
  /** The master that tells of the others. */
  readonly through: MachineWorld
  /** The k3s configuration that every node gets anyway. */
  readonly config: ClusterSpec['config']
  /** Whether a node is there and not one of those that join. */
  readonly stays: (node: NodeSpec) => boolean
}

/** The nodes that join, and the cluster that they join, each with what the nodes that are there have. */
export interface Inherited {
  readonly joining: ClusterSpec
  readonly known: ClusterSpec
}

/**
 * Gives nodes that join what `run` would have given to a node of their role; what they were given themselves wins. Of hosts that
 * are labels and taints, of containers everything that was given for a role or for all, with the proxy and the certificates.
 */
export async function inheritOptions(
  input: InheritInput,
  ctx: Context,
  deps: OperationDeps,
): Promise<Inherited> {
  const { joining, known } = input
  const nodes = decoratedNodes(input)
  const contained = known.containers && (await containedNodes(input, ctx, deps))
  const commonOf = (role: NodeSpec['role']): CommonOption[] => [
    ...commonOptions(role, nodes),
    ...commonOptions(role, contained?.nodes ?? []),
  ]
  const give = (list: readonly NodeSpec[], role: NodeSpec['role']): NodeSpec[] => {
    const common = list.length > 0 ? commonOf(role) : []
    return list.map((node) => withCommon(node, common))
  }
  return {
    joining: {
      ...joining,
      masters: give(joining.masters, 'master'),
      nodes: give(joining.nodes, 'worker'),
    },
    known: {
      ...known,
      ...(known.containers ? { containers: { ...known.containers, ...contained?.options } } : {}),
    },
  }
}

/** The nodes with the labels and taints that k3s was told to give them, without those of the configuration of all. Pure. */
function decoratedNodes({ world, through, config, stays }: InheritInput): NodeSpec[] {
  const texts = (key: string): string[] => [config[key] ?? []].flat().map(String)
  return world.machines
    .filter(({ node }) => stays(node))
    .flatMap((machine): NodeSpec[] => {
      const name = machine.facts.hostname.toLowerCase()
      const asked = through.installed.nodes?.find((entry) => entry.name === name)?.asked
      if (!asked) return []
      const { target, role, container } = machine.node
      const given = machine.node.given ?? (machine.facts.managed.record?.given as Given | undefined)
      const ofOthers = (option: string): string[] => [
        ...texts(option),
        ...(container?.k3sArgs ?? []).map((arg) => arg.replace(`--${option}=`, '')),
      ]
      const labels = asked.labels.filter(
        (text) => text.includes('=') && !ofOthers('node-label').includes(text),
      )
      const taints = asked.taints.filter((text) => !ofOthers('node-taint').includes(text))
      return [
        {
          target,
          role,
          labels: Object.fromEntries(labels.map(pairOf)),
          taints: taints.flatMap(readTaint),
          ...(given ? { given } : {}),
        },
      ]
    })
}

function pairOf(text: string): readonly [string, string] {
  return [text.slice(0, text.indexOf('=')), text.slice(text.indexOf('=') + 1)]
}

function readTaint(text: string): Taint[] {
  const read = parseNodeTaint(text)
  return 'value' in read ? [read.value] : []
}

/** The containers with what each was given, and what all of them have from the computer that they were made from. */
async function containedNodes(
  { known, world, stays }: InheritInput,
  ctx: Context,
  deps: OperationDeps,
): Promise<{
  readonly nodes: readonly NodeSpec[]
  readonly options: Pick<NonNullable<ClusterSpec['containers']>, 'proxy' | 'caCertificates'>
}> {
  const found = [...known.masters, ...known.nodes].filter(stays).flatMap((node) => {
    const container = world.engine?.containers.find(({ name }) => name === node.target.host)
    return container ? [{ node, container }] : []
  })
  const engine = await connectToEngine(ctx, deps)
  try {
    // One file of a role is the same on all of its nodes, and an archive takes an engine long.
    const files = new Map<string, Promise<Buffer | undefined>>()
    const read =
      ({ role, given }: NodeSpec, { name }: EngineContainer) =>
      async (path: string) => {
        if (given?.[`--file ${path}`] === 'node') return undefined
        const key = `${role} ${path}`
        const content = files.get(key) ?? readContainerFile(engine, name, path)
        files.set(key, content)
        return content
      }
    const nodes = await Promise.all(
      found.map(async ({ node, container }): Promise<NodeSpec> => {
        const { labels: _, taints: __, ...rest } = node
        const own = await keptOptions(container, read(node, container))
        return { ...rest, labels: {}, taints: [], container: own }
      }),
    )
    const [first] = found
    const caCertificates = first ? await keptCertificates(engine, first.container.name) : []
    const proxy = found.map(({ container }) => keptProxy(container)).find((one) => one !== undefined)
    return {
      nodes,
      options: { ...(proxy ? { proxy } : {}), ...(caCertificates.length > 0 ? { caCertificates } : {}) },
    }
  } finally {
    await engine.close()
  }
}
