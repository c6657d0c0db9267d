import { describe, expect, it } from 'vitest'
import { AirliftError, isAirliftError } from '../core/errors.js'
import { Secret } from '../core/secret.js'
import { buildSpec, type SpecFlags } from './build-spec.js'
import type { SpecProblem } from './problems.js'
import type { SpecIo } from './spec-io.js'

const io = (files: Record<string, string> = {}, directories: Record<string, string[]> = {}): SpecIo => ({
  readFile: async (path) => {
    const text = files[path]
    if (text === undefined) throw Object.assign(new Error(`ENOENT ${path}`), { code: 'ENOENT' })
    return Buffer.from(text)
  },
  listDirectory: async (path) => directories[path],
  loadRegistries: async (path) => {
    if (path === 'bad') throw new AirliftError('E_REGISTRIES_INVALID', 'bad:3: typo', { hint: 'repair it' })
    return { registries: { content: new Secret(path ?? ''), files: [], mirrors: [] }, warnings: ['doubt'] }
  },
})
const failure = async (flags: SpecFlags, given = io()) => {
  try {
    await buildSpec(flags, given)
  } catch (error) {
    if (isAirliftError(error)) return { error, problems: (error.data?.errors ?? []) as SpecProblem[] }
    throw error
  }
  throw new Error('it was taken')
}

describe('buildSpec', () => {
  it('fills in the defaults', async () => {
    const { spec, warnings, counts } = await buildSpec({ masters: 'root@10.0.0.1' }, io())
    expect(spec).toMatchObject({
      name: 'default',
      runtime: 'k3s',
      wait: 'nodes',
      timeoutMs: 600_000,
      ignore: [],
      manifests: [],
    })
    expect(spec.masters).toEqual([
      {
        target: { kind: 'ssh', text: 'root@10.0.0.1', host: '10.0.0.1', user: 'root' },
        role: 'master',
        labels: {},
        taints: [],
      },
    ])
    expect(spec.ssh).toMatchObject({ identities: [], sudo: 'auto', transport: 'auto', askPass: false })
    expect(warnings).toEqual([])
    expect(counts).toBeUndefined()
  })

  it('takes everything that flags can say', async () => {
    const { spec, warnings } = await buildSpec(
      {
        name: 'prod',
        masters: '10.0.0.[1-3]',
        nodes: '@workers',
        user: 'ubuntu',
        sshPort: '2222',
        identity: ['a', 'b'],
        jump: 'me@bastion:22,[fd00::1]:2222',
        sudo: true,
        hostKeys: 'strict',
        transport: 'openssh',
        config: 'k3s.yaml',
        set: ['disable=traefik', 'what=ever'],
        registries: 'registries.yaml',
        manifests: ['dir', 'one.json'],
        nodeLabel: ['disk=ssd', 'tier=a@workers:1'],
        nodeTaint: ['gpu=y:NoSchedule@w2'],
        ignore: ['SWAP_ON,CLOCK_SKEW', 'SWAP_ON'],
        wait: 'system',
        timeout: '1m30s',
      },
      io(
        {
          workers: 'w1\nw2\n',
          'k3s.yaml': 'debug: true',
          'dir/a.yaml': 'apiVersion: v1\nkind: Namespace\n',
          'one.json': '{"apiVersion":"v1","kind":"List"}',
        },
        { dir: ['README.md', 'a.yaml'] },
      ),
    )
    expect(spec.ssh).toEqual({
      user: 'ubuntu',
      port: 2222,
      identities: ['a', 'b'],
      jump: 'me@bastion:22,[fd00::1]:2222',
      hostKeys: 'strict',
      askPass: false,
      askSudoPass: false,
      sudo: 'always',
      transport: 'openssh',
    })
    expect(spec.config).toEqual({ debug: true, disable: ['traefik'], what: 'ever' })
    expect(spec.nodes.map((node) => [node.target.host, node.labels, node.taints])).toEqual([
      ['w1', { disk: 'ssd' }, []],
      ['w2', { disk: 'ssd', tier: 'a' }, [{ key: 'gpu', value: 'y', effect: 'NoSchedule' }]],
    ])
    expect(spec.manifests.map((manifest) => manifest.name)).toEqual(['a.yaml', 'one.json'])
    expect(spec).toMatchObject({ ignore: ['SWAP_ON', 'CLOCK_SKEW'], wait: 'system', timeoutMs: 90_000 })
    expect(warnings).toHaveLength(2)
  })

  it('tells all errors at once, each with its flag and remedy', async () => {
    const { error, problems } = await failure(
      {
        name: 'Prod_1',
        runtime: 'k8s',
        masters: 'a,a,10.0.0.999',
        nodes: 'a',
        user: '-x',
        sshPort: '0',
        jump: 'b,h[1-3]',
        hostKeys: 'maybe',
        config: 'gone.yaml',
        set: ['server=x'],
        registries: 'bad',
        manifests: ['gone.yaml'],
        nodeLabel: ['x'],
        nodeTaint: ['a=b:NoSchedule@masters:7'],
        ignore: ['a b'],
        wait: 'long',
        timeout: '10',
      },
      io(),
    )
    expect(error).toMatchObject({ code: 'E_SPEC_INVALID', exit: 2 })
    expect(problems.map((problem) => problem.path)).toEqual(
      expect.arrayContaining([
        '--name',
        '--runtime',
        '--masters',
        '--nodes',
        '--user',
        '--ssh-port',
        '--jump',
        '--host-keys',
        '--config',
        '--set',
        '--registries',
        '--manifests',
        '--node-label',
        '--node-taint',
        '--ignore',
        '--wait',
        '--timeout',
      ]),
    )
    for (const problem of problems) {
      expect(problem.hint, problem.message).toBeTruthy()
      expect(error.message).toContain(problem.message)
    }
  })

  it.each<[SpecFlags, string, string]>([
    [{}, 'E_USAGE', 'no master is named'],
    [{ masters: 'a', nodes: 'a' }, 'E_HOST_INVALID', 'host a is both a master and a worker'],
    [{ masters: 'a', runtime: 'k3d' }, 'E_USAGE', 'takes no hosts'],
    [{ masters: '3', runtime: 'k3s' }, 'E_USAGE', '"3" is a number of containers'],
    [{ masters: '1', nodes: 'a' }, 'E_USAGE', 'cannot be one cluster'],
    [{ masters: '0' }, 'E_USAGE', '0 masters'],
    [{ masters: 'a', name: 'x'.repeat(41) }, 'E_USAGE', 'is not a cluster name'],
    [{ masters: 'a,b', set: ['node-ip=10.0.0.1'] }, 'E_CONFIG_INVALID', '"node-ip" names one node'],
    [{ masters: 'a,b', set: ['bind-address=10.0.0.1'] }, 'E_CONFIG_INVALID', '"bind-address" names one node'],
    [{ masters: 'a,b', set: ['cluster-init=false'] }, 'E_CONFIG_INVALID', 'cluster-init is false'],
    [
      { masters: 'a', set: ['cluster-init=true', 'datastore-endpoint=x'] },
      'E_CONFIG_INVALID',
      'two datastores',
    ],
    [{ masters: 'a', timeout: '25h' }, 'E_USAGE', '"25h" is not a duration'],
    [{ masters: 'a', nodeLabel: ['k=a', 'k=b@masters'] }, 'E_SPEC_INVALID', 'gives a a second value'],
    [{ masters: 'a', manifests: ['bad.yaml'] }, 'E_SPEC_INVALID', 'bad.yaml:2:1: a document has no kind'],
    [{ masters: 'a', manifests: ['broken.yaml'] }, 'E_SPEC_INVALID', 'not YAML'],
    [{ masters: 'a', manifests: ['empty.yaml'] }, 'E_SPEC_INVALID', 'the manifest is empty'],
    [{ masters: 'a', manifests: ['coredns.yaml'] }, 'E_SPEC_INVALID', "k3s' own manifests"],
    [{ masters: 'a', manifests: ['good.yaml', 'x/good.yaml'] }, 'E_SPEC_INVALID', 'have the same name'],
    [{ masters: 'a', manifests: ['hollow'] }, 'E_SPEC_INVALID', 'holds no .yaml'],
    [{ masters: '@gone' }, 'E_HOST_INVALID', 'cannot read the host file "gone"'],
  ])('%j is %s', async (flags, code, message) => {
    const good = 'apiVersion: v1\nkind: Namespace\n'
    const files = {
      'bad.yaml': '---\napiVersion: v1\n',
      'broken.yaml': 'a: [',
      'empty.yaml': '# nothing\n',
      'coredns.yaml': good,
      'good.yaml': good,
      'x/good.yaml': good,
    }
    const { error } = await failure(flags, io(files, { hollow: ['a.txt'] }))
    expect(error).toMatchObject({ code, exit: 2 })
    expect(error.message).toContain(message)
    expect(error.hint).toBeTruthy()
  })

  it('takes counts for containers and one node with an address', async () => {
    const { spec, counts } = await buildSpec({ masters: '1', nodes: '2' }, io())
    expect(spec.runtime).toBe('k3d')
    expect(counts).toEqual({ masters: 1, nodes: 2 })
    expect((await buildSpec({ masters: 'a', set: ['bind-address=10.0.0.1'] }, io())).spec.config).toEqual({
      'bind-address': '10.0.0.1',
    })
  })

  it('needs no masters where the cluster is asked for by name', async () => {
    expect((await buildSpec({ name: 'x' }, io(), { mastersRequired: false })).spec.masters).toEqual([])
  })
})
