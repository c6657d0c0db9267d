import { afterAll, describe, expect, it } from 'vitest'
import { containerTargets } from '../cluster/container/container-targets.js'
import { PLAIN_CONTAINER } from '../cluster/container-spec.js'
import type { ClusterSpec, Role } from '../cluster/spec.js'
import { type AirliftError, isAirliftError } from '../core/errors.js'
import { testContainers } from '../runtime/k3d/world.fixture.js'
import { containerHome, tinyRootfs } from './containers.fixture.js'
import { deleteNodes } from './delete.js'
import { type KillLab, killLab } from './killed.fixture.js'
import { existingPlaces } from './next-places.js'
import { changePublishedPorts } from './ports.js'
import { reset } from './reset.js'
import { resolveCluster } from './resolve-cluster.js'
import { run } from './run.js'
import { status } from './status.js'
import { start, stop } from './stop-start.js'

// Every command, killed after each of its requests to the engine, and then another one: it must end well, or tell what does.

type Command = (lab: KillLab) => Promise<{ readonly error?: AirliftError } | undefined>
const ref = { name: 'dev', masters: [], nodes: [], ssh: testContainers(0, 0).ssh }
const spec = (masters: number, workers: number): ClusterSpec =>
  testContainers(masters, workers, {}, { config: { 'cluster-init': true } })

const makes =
  (wanted: ClusterSpec): Command =>
  async ({ ctx, deps }) => {
    const places = await existingPlaces('dev', ctx, deps)
    const nodes = (role: Role, count: number) =>
      containerTargets('dev', role, count, places[role]).map((target) => {
        return { target, role, labels: {}, taints: [], container: PLAIN_CONTAINER }
      })
    const masters = nodes('master', wanted.masters.length)
    const workers = nodes('worker', wanted.nodes.length)
    return run({ spec: { ...wanted, masters, nodes: workers }, rootfs: tinyRootfs() }, ctx, deps)
  }
const deletes =
  (masters: readonly string[]): Command =>
  ({ ctx, deps }) =>
    deleteNodes({ cluster: ref, leaving: { masters, nodes: [] }, options: {}, kubeconfig: 'none' }, ctx, deps)
const starts: Command = async ({ ctx, deps }) =>
  start({ spec: await resolveCluster(ref, ctx, deps) }, ctx, deps)
const stops: Command = async ({ ctx, deps }) =>
  stop({ spec: await resolveCluster(ref, ctx, deps), drain: false }, ctx, deps)
const resets: Command = async ({ ctx, deps }) =>
  reset({ spec: await resolveCluster(ref, ctx, deps), kubeconfig: 'none' }, ctx, deps)
const publishes: Command = ({ ctx, deps }) =>
  changePublishedPorts({ cluster: ref, change: { op: 'add', texts: ['9090:90'] } }, ctx, deps)

const hintOf = async (lab: KillLab, command: Command): Promise<string | undefined> => {
  try {
    const { error } = (await command(lab)) ?? {}
    return error && (error.hint ?? error.message)
  } catch (error) {
    if (!isAirliftError(error)) throw error
    return error.hint ?? error.message
  }
}

/** What a hint says first, as a command. */
function hinted(hint: string, same: Command, makesAgain: Command): Command | undefined {
  const ways: readonly (readonly [RegExp, Command])[] = [
    [/same airlift run|airlift run command/, makesAgain],
    [/the same command/, same],
    [/airlift start/, starts],
    [/airlift delete .*--masters (\S+?)[;,]/, deletes([/--masters ([\w-]+)/.exec(hint)?.[1] ?? ''])],
  ]
  const found = ways.flatMap(([way, command]) => {
    const at = hint.search(way)
    return at < 0 ? [] : [{ at, command }]
  })
  return found.sort((a, b) => a.at - b.at)[0]?.command
}

/** Does what hints say, the first of them and then those of `status`, until it is ready. Gives what was wrong. */
async function end(lab: KillLab, first: Command, makesAgain: Command): Promise<readonly string[]> {
  let next: Command | undefined = first
  const told: string[] = []
  for (let tries = 0; tries < 5; tries++) {
    const hint: string | undefined = next && (await hintOf(lab, next))
    if (hint !== undefined) told.push(hint)
    const found = await status(ref, lab.ctx, lab.deps).catch((error: AirliftError) => error)
    if (found instanceof Error) {
      told.push(`status: ${found.message}`)
      next = hinted(found.hint ?? '', makesAgain, makesAgain)
    } else if (found.health === 'ready') return [...lab.model.crimes]
    else {
      const [problem] = found.problems
      told.push(`status: ${problem?.message} | ${problem?.hint}`)
      next = hinted(problem?.hint ?? '', makesAgain, makesAgain)
    }
    if (!next) break
  }
  return ['it is never ready', ...told]
}

const home = containerHome()
const labs: KillLab[] = []
afterAll(() => {
  for (const lab of labs) lab.abort()
})

const DULL = /Volume|detach/

/** Kills `command` after each of its requests, and tells of which follow-up what was wrong then. */
async function killedEverywhere(
  before: readonly Command[],
  command: Command,
  makesAgain: Command,
  follow: Readonly<Record<string, Command>>,
): Promise<readonly string[]> {
  const lab = killLab(home.path)
  labs.push(lab)
  for (const one of before) expect(await hintOf(lab, one)).toBeUndefined()
  const begin = lab.remember()
  const requests = await lab.run(() => command(lab))
  expect(requests.length).toBeGreaterThan(1)
  const wrong: string[] = []
  for (let count = 1; count <= requests.length; count++) {
    begin()
    const done = await lab.run(() => command(lab), count)
    // Of many volumes one by one only the first and the last make a difference.
    const [last = '', next = ''] = [done.at(-1), requests[count]]
    if (count > 1 && DULL.test(last) && DULL.test(next)) continue
    const again = lab.remember()
    for (const [name, then] of Object.entries(follow)) {
      again()
      const found = await end(lab, then, makesAgain)
      if (found.length > 0) wrong.push(`killed after ${last}, then ${name}: ${found.join(' / ')}`)
    }
    if (count % 3 !== 0) continue
    again()
    const hint = await hintOf(lab, resets)
    wrong.push(...(hint === undefined ? await leftOf(lab) : [`the reset: ${hint}`]))
  }
  return wrong
}

/** All that an engine has after a reset, of nobody too. */
async function leftOf({ engine }: KillLab): Promise<readonly string[]> {
  const [containers, volumes, networks] = await Promise.all([
    engine.containers([]),
    engine.volumes([]),
    engine.networks(),
  ])
  return [...containers, ...volumes, ...networks.filter(({ name }) => name.startsWith('airlift'))].map(
    ({ name }) => `${name} is left after the reset`,
  )
}

// Many commands each, on computers that may be busy.
describe('a command that was killed between any two requests to the engine', { timeout: 120_000 }, () => {
  it('run, of a cluster', async () => {
    const make = makes(spec(1, 1))
    expect(await killedEverywhere([], make, make, { run: make, start: starts })).toEqual([])
  })

  it('delete, of the first master, whose ports a load balancer takes over', async () => {
    const same = deletes(['airlift-dev-master-0'])
    const begun = [makes(spec(1, 1)), makes(spec(2, 1))]
    const follow = { delete: same, run: makes(spec(2, 1)), start: starts }
    expect(await killedEverywhere(begun, same, makes(spec(1, 1)), follow)).toEqual([])
  })

  it('stop', async () => {
    const make = makes(spec(1, 1))
    const follow = { stop: stops, start: starts, run: make, ports: publishes }
    expect(await killedEverywhere([make], stops, make, follow)).toEqual([])
  })

  it('ports add', async () => {
    const make = makes(spec(1, 1))
    const follow = { ports: publishes, start: starts, run: make }
    expect(await killedEverywhere([make], publishes, make, follow)).toEqual([])
  })

  it('reset, and what it has left is made a cluster again', async () => {
    const make = makes(spec(3, 0))
    expect(await killedEverywhere([make], resets, make, { run: make })).toEqual([])
  })
})
