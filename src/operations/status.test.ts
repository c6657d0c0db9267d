import { describe, expect, it } from 'vitest'
import { createContext } from '../core/context.js'
import { AirliftError } from '../core/errors.js'
import { createSecretSource } from '../machine/ssh/secret-source.js'
import { machines, spec } from '../runtime/preflight/preflight.fixture.js'
import type { NodeStatus, World } from '../runtime/runtime.js'
import type { OperationDeps } from './session.js'
import { status, statusOf } from './status.js'

const two = spec(1, 1)
const node = (name: string, role: 'master' | 'worker', ready: boolean): NodeStatus => ({
  name,
  role,
  ready,
  version: 'v1.33.1+k3s1',
  address: role === 'master' ? '10.0.0.1' : '10.0.0.2',
  message: ready ? '' : 'KubeletNotReady: container runtime is down',
})

/** A master that answers, and a worker as it is told. */
function world(
  nodes: readonly NodeStatus[],
  worker: { active: boolean; role?: 'worker'; version?: string },
): World {
  const [first, second] = machines(two)
  if (!first || !second) throw new Error('two machines')
  const none = { initialized: false, apiReady: false }
  return {
    machines: [
      {
        ...first,
        id: 'ssh://root@10.0.0.1:22',
        installed: {
          role: 'master',
          active: true,
          initialized: true,
          apiReady: true,
          nodes,
          version: 'v1.33.1+k3s1',
        },
      },
      { ...second, id: 'ssh://root@10.0.0.2:22', installed: { ...none, ...worker } },
    ],
    unreachable: [],
    secrets: new Map(),
    templates: {},
  }
}

it('names the port at which the API is, which an operation without --set learns from a master alone', () => {
  const found = world([node('bare1', 'master', true)], { active: true, role: 'worker' })
  const endpointWith = (kubeconfig: string): string => {
    const machinesThen = found.machines.map((machine) => {
      const { managed } = machine.facts
      const fragments = { ...managed.fragments, 'k3s-kubeconfig': kubeconfig }
      return { ...machine, facts: { ...machine.facts, managed: { ...managed, fragments } } }
    })
    return statusOf(two, { ...found, machines: machinesThen }).endpoint
  }
  expect(endpointWith('- cluster:\n    server: https://127.0.0.1:7443\n')).toBe('https://10.0.0.1:7443')
  expect(endpointWith('')).toBe('https://10.0.0.1:6443')
})

describe('status', () => {
  const hosts = spec(1, 1)
  const ref = { name: 'default', masters: hosts.masters, nodes: hosts.nodes, ssh: hosts.ssh }
  const refusing = (error: AirliftError): OperationDeps => ({
    secrets: createSecretSource({}, async () => undefined),
    createConnector: () => ({
      engine: () => Promise.reject(new Error('no engine is expected')),
      connect: () => Promise.reject(error),
      close: async () => {},
    }),
  })

  it('says nothing of a cluster whose machines let nobody in, but how to get in', async () => {
    const error = new AirliftError('E_SUDO', 'sudo wants a password', { hint: 'run with --ask-sudo-pass' })
    await expect(status(ref, createContext({ env: {} }), refusing(error))).rejects.toMatchObject({
      code: 'E_SUDO',
      hint: 'run with --ask-sudo-pass',
    })
  })

  it('is down where no machine is there', async () => {
    const error = new AirliftError('E_SSH_UNREACHABLE', 'no route to 10.0.0.1:22')
    expect(await status(ref, createContext({ env: {} }), refusing(error))).toMatchObject({
      health: 'down',
      problems: [{ code: 'unreachable' }, { code: 'unreachable' }, { code: 'api-down' }],
    })
  })
})

describe('statusOf', () => {
  const master = node('bare1', 'master', true)

  it('tells of a machine that does not let us in how it would', () => {
    const error = new AirliftError('E_SUDO', 'sudo wants a password', { hint: 'run with --ask-sudo-pass' })
    const { machines, ...rest } = world([master, node('bare2', 'worker', true)], { active: true })
    const [first, second] = machines
    if (!first || !second) throw new Error('two machines')
    const unreachable = [{ node: second.node, id: second.id, error }]
    expect(statusOf(two, { ...rest, machines: [first], unreachable })).toMatchObject({
      health: 'degraded',
      problems: [{ code: 'no-sudo', machine: second.id, hint: 'run with --ask-sudo-pass' }],
    })
  })

  it('is ready when every node is', () => {
    const found = statusOf(
      two,
      world([master, node('bare2', 'worker', true)], { active: true, role: 'worker' }),
    )
    expect(found).toMatchObject({ health: 'ready', problems: [] })
  })

  it('says of a node that is ready and takes no pods that it is cordoned', () => {
    const of = (cordoned: boolean) => {
      const worker = { ...node('bare2', 'worker', true), ...(cordoned ? { cordoned: true as const } : {}) }
      return statusOf(two, world([master, worker], { active: true, role: 'worker' }))
    }
    expect(of(true)).toMatchObject({ health: 'ready', problems: [] })
    expect(of(true).nodes[1]).toMatchObject({ ready: true, message: 'cordoned: takes no new pods' })
    expect(of(true).nodes[1]).not.toHaveProperty('cordoned')
    expect(of(false).nodes[1]?.message).toBe('')
  })

  it('tells of a machine that is not installed once', () => {
    const found = statusOf(two, world([master], { active: false }))
    expect(found.health).toBe('degraded')
    expect(found.problems).toEqual([
      expect.objectContaining({ code: 'not-installed', machine: 'ssh://root@10.0.0.2:22' }),
    ])
    expect(found.nodes[1]).toMatchObject({ name: 'bare2', ready: false, message: 'k3s is not installed' })
  })

  it('tells of a stopped service, not of the node that is not ready because of it', () => {
    const known = [master, node('bare2', 'worker', false)]
    const found = statusOf(two, world(known, { active: false, role: 'worker' }))
    expect(found.problems.map((problem) => problem.code)).toEqual(['service-down'])
  })

  it('calls no node ready whose service does not run, although the cluster does for a while', () => {
    const known = [master, node('bare2', 'worker', true)]
    const found = statusOf(two, world(known, { active: false, role: 'worker' }))
    expect(found.nodes[1]).toMatchObject({ ready: false, message: 'the service does not run' })
    expect(statusOf(two, world(known, { active: true, role: 'worker' })).nodes[1]?.ready).toBe(true)
  })

  it('sends whoever has a service without a program to run, which puts it back', () => {
    const known = [master, node('bare2', 'worker', false)]
    const { problems } = statusOf(two, world(known, { active: false, role: 'worker' }))
    expect(problems[0]?.hint).toContain('airlift run')
    const there = statusOf(two, world(known, { active: false, role: 'worker', version: 'v1.33.1+k3s1' }))
    expect(there.problems[0]?.hint).toContain('airlift start')
  })

  it('shows the log of a node that never registered, of which the cluster has nothing to describe', () => {
    const { problems } = statusOf(two, world([master], { active: true, role: 'worker' }))
    expect(problems).toEqual([
      expect.objectContaining({
        code: 'node-not-ready',
        hint: expect.stringMatching(/^see journalctl -u k3s-agent on \S+/),
      }),
    ])
  })

  it('shows the log of OpenRC where that is what the hosts have', () => {
    const found = world([master], { active: true, role: 'worker' })
    const machines = found.machines.map((machine) => ({
      ...machine,
      facts: { ...machine.facts, init: 'openrc' as const },
    }))
    const hints = (all: typeof machines): string[] =>
      statusOf(two, { ...found, machines: all }).problems.map(({ hint }) => hint)
    expect(hints(machines)).toEqual([expect.stringMatching(/^see \/var\/log\/k3s-agent\.log on \S+/)])
    const down = machines.map((machine) => ({
      ...machine,
      installed: { ...machine.installed, apiReady: false },
    }))
    expect(hints(down)).toEqual(['see /var/log/k3s.log on a master', 'see /var/log/k3s.log there'])
  })

  it('tells of a node that is not ready although its service runs, with the reason', () => {
    const known = [master, node('bare2', 'worker', false)]
    const found = statusOf(two, world(known, { active: true, role: 'worker' }))
    expect(found.problems).toEqual([
      expect.objectContaining({
        code: 'node-not-ready',
        message: expect.stringContaining('container runtime is down'),
      }),
    ])
  })
})
