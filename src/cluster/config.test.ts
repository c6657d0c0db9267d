import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { readConfig, renderConfig, splitConfig } from './config.js'
import { isSecretOption, K3S_OPTIONS, newerOptions } from './k3s-options.js'
import type { SpecProblem } from './problems.js'
import type { ConfigValue } from './spec.js'

async function read(text: string, set: string[] = []) {
  const problems: SpecProblem[] = []
  const file = text === '' ? {} : { file: { path: 'k3s.yaml', text } }
  return { ...(await readConfig({ ...file, set }, problems)), problems }
}

describe('readConfig', () => {
  it('gives each value the type of the option, as it was written', async () => {
    const { config, problems, warnings } = await read(
      [
        'write-kubeconfig-mode: 0644',
        'cluster-domain: yes',
        'secrets-encryption: on',
        'https-listen-port: "7443"',
        'tls-san: [10.0.0.5, 012]',
        'disable: traefik,servicelb',
        'kubelet-arg+:',
        '  - max-pods=200',
        'etcd-snapshot-schedule-cron: "0 */5 * * *"',
      ].join('\n'),
    )
    expect(problems).toEqual([])
    expect(warnings).toEqual([])
    expect(config).toEqual({
      'write-kubeconfig-mode': '0644',
      'cluster-domain': 'yes',
      'secrets-encryption': true,
      'https-listen-port': 7443,
      'tls-san': ['10.0.0.5', '012'],
      disable: ['traefik', 'servicelb'],
      'kubelet-arg': ['max-pods=200'],
      'etcd-snapshot-schedule-cron': '0 */5 * * *',
    })
  })

  it('lets --set win over the file, adds up the items of a list and takes escaped commas', async () => {
    const { config, problems } = await read('disable: [coredns]\ndebug: true\n', [
      'disable=traefik,servicelb',
      'disable=metrics-server',
      'debug=false',
      'kubelet-arg=eviction-hard=memory.available<5%\\,nodefs.available<5%',
      'cluster-domain=a=b',
    ])
    expect(problems).toEqual([])
    expect(config).toEqual({
      disable: ['traefik', 'servicelb', 'metrics-server'],
      debug: false,
      'kubelet-arg': ['eviction-hard=memory.available<5%,nodefs.available<5%'],
      'cluster-domain': 'a=b',
    })
  })

  it('keeps unknown keys with a warning and the key that was meant', async () => {
    const { config, warnings, problems } = await read('tls-sans: [a]\n', [
      'flannel-bakend=none',
      'zzz=0644',
      'yyy=5',
      'x=true',
    ])
    expect(problems).toEqual([])
    expect(config).toEqual({ 'tls-sans': ['a'], 'flannel-bakend': 'none', zzz: '0644', yyy: 5, x: true })
    expect(warnings[0]).toBe(
      'k3s.yaml:1: k3s has no option "tls-sans"; it is passed on to masters as it is; did you mean "tls-san"?',
    )
    expect(warnings[1]).toContain('did you mean "flannel-backend"?')
    expect(warnings[2]).not.toContain('did you mean')
  })

  it.each([
    ['server: https://x:6443', '"server" is not yours to set', 1],
    ['debug: 1\nv: 2\ndata-dir: /x', '"data-dir" is not yours to set', 3],
    ['debug: maybe', '"maybe" of "debug" is not true or false', 1],
    ['https-listen-port: [1]', '"1" of "https-listen-port" is not a single value', 1],
    ['https-listen-port: 6443x', '"6443x" of "https-listen-port" is not a port from 1 to 65535', 1],
    ['debug: true\nhttps-listen-port: 99999', '"99999" of "https-listen-port" is not a port', 2],
    ['lb-server-port: 0', '"0" of "lb-server-port" is not a port', 1],
    ['advertise-port: -1', '"-1" of "advertise-port" is not a port', 1],
    ['v: x', '"x" of "v" is not a whole number', 1],
    ['node-name: foo', '"node-name" is not yours to set', 1],
    ['with-node-id: true', '"with-node-id" is not yours to set', 1],
    ['supervisor-port: 9345', '"supervisor-port" is not yours to set', 1],
    ['apiserver-port: 6444', '"apiserver-port" is not yours to set', 1],
    ['tls-san: {a: b}', '"tls-san" has no value that k3s takes', 1],
    ['tls-san:', '"tls-san" has no value that k3s takes', 1],
    ['- a', 'the file is not a mapping', 1],
    ['a: [1', 'flow sequence', 1],
    ['debug: true\ntoken: *s3cret', 'a word that begins with * has to be in quotes', 2],
    ['x: [*s3cret]', 'has to be in quotes', 1],
    ['x:', '"x" has no value', 1],
    ['debug: true\ndebug: false', 'keys must be unique', 2],
  ])('refuses %j with its line', async (text, message, line) => {
    const { problems } = await read(text)
    const found = problems.find((problem) => problem.message.includes(message))
    expect(found, JSON.stringify(problems)).toMatchObject({
      code: 'E_CONFIG_INVALID',
      path: 'k3s.yaml',
      line,
    })
    expect(found?.hint).toBeTruthy()
  })

  it('keeps the structure of what it does not know', async () => {
    expect((await read('x: {a: [1, yes], b: 2020-01-01}\nz: 012\n')).config).toEqual({
      x: { a: [1, true], b: '2020-01-01T00:00:00.000Z' },
      z: 10,
    })
  })

  it('refuses a --set that is not key=value', async () => {
    expect((await read('', ['traefik', '=x', 'a b=c'])).problems.map((problem) => problem.message)).toEqual([
      '"traefik" is not key=value',
      '"" is not key=value',
      '"a b" is not key=value',
    ])
  })

  it('takes the token, and never shows a secret', async () => {
    const { config, problems } = await read('token: [hunter2]\ndatastore-endpoint: [pg-hunter2]\n', [
      'token=s3cret',
    ])
    expect(config.token).toBe('s3cret')
    expect(problems).toHaveLength(2)
    expect(JSON.stringify(problems)).not.toContain('hunter2')
    expect(
      isSecretOption('datastore-endpoint') && isSecretOption('token') && !isSecretOption('disable'),
    ).toBe(true)
  })
})

describe('splitConfig', () => {
  const config = {
    disable: ['traefik'],
    'kubelet-arg': ['a=b'],
    'disable-apiserver-lb': true,
    unknown: 1,
    debug: true,
  }

  it('gives workers no server key, since one is fatal to an agent, nor a key that k3s may not know', () => {
    expect(splitConfig(config, 'worker')).toEqual({
      'kubelet-arg': ['a=b'],
      'disable-apiserver-lb': true,
      debug: true,
    })
    expect(splitConfig(config, 'master')).toEqual({
      disable: ['traefik'],
      'kubelet-arg': ['a=b'],
      unknown: 1,
      debug: true,
    })
  })

  it('knows which minor brought an option', () => {
    expect(newerOptions(['nonroot-devices', 'disable', 'etcd-s3-retention'], '1.33')).toEqual([
      { key: 'etcd-s3-retention', since: '1.34' },
    ])
    expect(Object.keys(K3S_OPTIONS).length).toBeGreaterThan(120)
  })
})

describe('renderConfig', () => {
  it('sorts keys and quotes every string', () => {
    const values = {
      'write-kubeconfig-mode': '0644',
      on: 'yes',
      disable: ['traefik', 'no'],
      v: 2,
      debug: true,
      none: [],
      m: { b: 1.5, a: '~' },
    }
    expect(renderConfig(values)).toBe(
      [
        'debug: true',
        'disable:',
        '  - "traefik"',
        '  - "no"',
        '"m":',
        '  "a": "~"',
        '  "b": "1.5"',
        'none: []',
        '"on": "yes"',
        '"v": 2',
        'write-kubeconfig-mode: "0644"',
        '',
      ].join('\n'),
    )
  })

  it('reads back the same in YAML 1.1 and 1.2, whatever the text', () => {
    const scalar = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.maxSafeInteger(),
      fc.boolean(),
      fc.constantFrom(
        'yes',
        '0644',
        '1e3',
        '1_000',
        '12:30:45',
        '2020-01-01',
        '<<',
        '=',
        '.inf',
        '!!x',
        '- a',
        'a: b',
        '#c',
        '\u0085',
        '\ufeff',
        '💥',
      ),
    )
    const value: fc.Arbitrary<ConfigValue> = fc.oneof(scalar, fc.array(scalar))
    fc.assert(
      fc.property(
        fc.dictionary(
          fc
            .oneof(fc.string({ minLength: 1 }), fc.constantFrom('on', 'y', 'n', 'e0', 'e12'))
            .filter((key) => key !== '__proto__'),
          value,
        ),
        (values) => {
          const text = renderConfig(values)
          expect(parse(text, { version: '1.1' })).toEqual({ ...values })
          expect(parse(text, { version: '1.2' })).toEqual({ ...values })
          const reversed = Object.fromEntries(Object.entries(values).reverse())
          expect(renderConfig(reversed)).toBe(text)
        },
      ),
    )
  })
})
