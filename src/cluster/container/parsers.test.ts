import fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import { parseApiPort } from './api-port.js'
import { readCertificates } from './ca-certificates.js'
import { parseCpus } from './cpus.js'
import { parseEnv } from './env.js'
import { parseFile } from './files.js'
import { selectContainers } from './filter.js'
import { parseGpus } from './gpus.js'
import { parseHostAlias } from './host-aliases.js'
import { checkImage } from './image.js'
import { parseK3sArg } from './k3s-args.js'
import { parseMemory } from './memory.js'
import { checkNetworkName, parseSubnet } from './network.js'
import { isOptionProblem } from './option-problem.js'
import { parsePort } from './parse-port.js'
import { containerPath } from './paths.js'
import { buildPorts } from './ports.js'
import { parseRuntimeLabel } from './runtime-labels.js'
import { parseUlimit } from './ulimits.js'
import { viewOf } from './view.fixture.js'
import { parseVolume } from './volumes.js'

// Thousands of texts take their time on a computer that has other things to do.
vi.setConfig({ testTimeout: 60_000 })

const view = viewOf(3, 2)
const local = {
  env: {},
  absolutePath: (path: string) => path,
  pathKind: async () => 'file' as const,
  lookup: async () => undefined,
  engineIsLocal: async () => true,
}
const PARSERS: Record<string, (text: string) => unknown> = {
  'api-port': (text) => parseApiPort(text, local),
  ca: (text) => readCertificates('f', Buffer.from(text)),
  cpus: parseCpus,
  env: (text) => parseEnv(text, {}),
  file: (text) => parseFile(text, { readFile: async () => Buffer.from('') }),
  filter: (text) => selectContainers(text, view),
  gpus: parseGpus,
  'host-alias': parseHostAlias,
  image: checkImage,
  'k3s-arg': parseK3sArg,
  memory: parseMemory,
  network: checkNetworkName,
  path: containerPath,
  port: parsePort,
  'runtime-label': parseRuntimeLabel,
  subnet: (text) => parseSubnet(text, 3, ['10.42.0.0/16']),
  ulimit: parseUlimit,
  volume: (text) => parseVolume(text, 'dev', local),
}

/** Text that looks like options more often than chance would have it. */
const optionLike = fc
  .array(
    fc.oneof(
      fc.constantFrom(
        ':',
        '@',
        '=',
        ',',
        ';',
        '/',
        '-',
        '\\',
        '[',
        ']',
        '.',
        '*',
        '"',
        '::',
        'all',
        'server',
        'agents',
      ),
      fc.constantFrom(
        'loadbalancer',
        'direct',
        'device',
        'nofile',
        'g',
        'Ki',
        'udp',
        '127.0.0.1',
        '::1',
        '10.0.0.0/8',
      ),
      fc.nat(70000).map(String),
      fc.string({ maxLength: 4, unit: 'binary' }),
    ),
    { maxLength: 12 },
  )
  .map((parts) => parts.join(''))

describe.each(Object.entries(PARSERS))('the reader of %s', (_, parse) => {
  it('never throws, and whatever it refuses has a message and a remedy', async () => {
    await fc.assert(
      fc.asyncProperty(fc.oneof(optionLike, fc.string({ unit: 'binary' })), async (text) => {
        const read = await parse(text)
        if (!isOptionProblem(read)) return
        expect(read.message).toMatch(/\S/)
        expect(read.message).not.toMatch(/[.!]$/)
        expect(read.hint).toMatch(/\S/)
      }),
      { numRuns: 500 },
    )
  })
})

it('reads back every port that it can write', () => {
  const port = fc.integer({ min: 1, max: 65535 })
  const address = fc.oneof(
    fc.ipV4(),
    fc.ipV6().filter((text) => !text.includes('.')),
  )
  fc.assert(
    fc.property(
      address,
      port,
      port,
      fc.constantFrom('tcp', 'udp', 'sctp'),
      (host, outer, inner, protocol) => {
        const shown = host.includes(':') ? `[${host}]` : host
        expect(parsePort(`${shown}:${outer}:${inner}/${protocol}@server:0`)).toMatchObject({
          pairs: [{ hostPort: outer, containerPort: inner }],
          protocol,
          filter: 'server:0',
        })
      },
    ),
  )
})

it('never publishes one port of one address twice', () => {
  const text = fc.tuple(
    fc.constantFrom('', '0.0.0.0:', '[::]:', '[::1]:', '10.0.0.1:'),
    fc.integer({ min: 8000, max: 8010 }),
    fc.integer({ min: 0, max: 5 }),
    fc.constantFrom('', '@server:0', '@agents:*', '@agent:1:direct'),
  )
  fc.assert(
    fc.property(fc.array(text, { maxLength: 8 }), (parts) => {
      const texts = parts.map(
        ([host, from, size, filter]) => `${host}${from}-${from + size}:${from}-${from + size}${filter}`,
      )
      const { ports } = buildPorts(texts, { view, balancerRefused: false, api: { address: '127.0.0.1' } })
      const seen = ports.map(({ address, hostPort, protocol }) => `${address} ${hostPort} ${protocol}`)
      expect(new Set(seen).size).toBe(seen.length)
      for (const { address, hostPort } of ports) {
        const all = address.includes(':') ? '::' : '0.0.0.0'
        if (address !== all) expect(seen).not.toContain(`${all} ${hostPort} tcp`)
      }
    }),
  )
})

it('reads amounts of memory that grow with their number', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 128, max: 1e6 }),
      fc.constantFrom('m', 'M', 'mb', 'Mi', 'MiB'),
      (amount, unit) => {
        expect(parseMemory(`${amount}${unit}`)).toBe(amount * 1024 ** 2)
      },
    ),
  )
})
