import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { fingerprint } from './key-blob.js'
import {
  hashHostName,
  hostKeyName,
  judgeKey,
  knownFor,
  orderAlgorithms,
  parseKnownHosts,
  wildcardMatches,
} from './known-hosts.js'
import { addKnownHost, readKnownHosts } from './known-hosts-file.js'

/** A key of wire format that need not be on any curve. */
function blobOf(type: string, filler: number): Buffer {
  const part = (data: Buffer): Buffer => {
    const length = Buffer.alloc(4)
    length.writeUInt32BE(data.length)
    return Buffer.concat([length, data])
  }
  return Buffer.concat([part(Buffer.from(type)), part(Buffer.alloc(32, filler))])
}
const ed = blobOf('ssh-ed25519', 1)
const other = blobOf('ssh-ed25519', 2)
const rsa = blobOf('ssh-rsa', 3)
const line = (host: string, blob: Buffer, type = 'ssh-ed25519'): string =>
  `${host} ${type} ${blob.toString('base64')}`
const judge = (text: string, name: string, blob: Buffer) =>
  judgeKey(parseKnownHosts(text, 'kh'), [name], blob).kind

describe('parseKnownHosts', () => {
  it('passes over comments, empty and damaged lines, CRLF, and counts lines', () => {
    const text = [
      '# comment',
      '',
      `${line('web1', ed)} some comment\r`,
      'damaged',
      'web2 ssh-ed25519 !!!',
      `\t${line('web3', ed)}`,
    ].join('\n')
    const entries = parseKnownHosts(text, 'kh')
    expect(entries.map((each) => [each.patterns, each.line])).toEqual([
      ['web1', 3],
      ['web3', 6],
    ])
  })

  it('passes over a key whose bytes name another type', () => {
    expect(parseKnownHosts(line('web1', rsa), 'kh')).toEqual([])
  })

  it('never throws, whatever the file holds', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => Array.isArray(parseKnownHosts(text, 'kh'))),
    )
  })

  it('finds every host that was written, plain or hashed, among others', () => {
    const host = fc.stringMatching(/^[a-z0-9][a-z0-9.-]{0,30}$/)
    fc.assert(
      fc.property(
        fc.uniqueArray(host, { minLength: 1, maxLength: 8 }),
        fc.integer({ min: 1, max: 65535 }),
        fc.boolean(),
        (hosts, port, hashed) => {
          const text = hosts.map((each) => {
            const name = hostKeyName(each, port)
            return line(hashed ? hashHostName(name) : name, ed)
          })
          for (const each of hosts) {
            expect(judge(text.join('\r\n'), hostKeyName(each, port), ed)).toBe('match')
            expect(judge(text.join('\n'), hostKeyName(each, port), other)).toBe('changed')
          }
          expect(judge(text.join('\n'), hostKeyName(`${hosts[0]}x`, port), ed)).toBe(
            hosts.includes(`${hosts[0]}x`) ? 'match' : 'unknown',
          )
        },
      ),
    )
  })
})

describe('judgeKey', () => {
  it.each([
    ['several names', line('web1,10.0.0.1', ed), '10.0.0.1', 'match'],
    ['a wildcard', line('*.lab,10.0.0.?', ed), '10.0.0.7', 'match'],
    ['a negated name', line('*.lab,!bad.lab', ed), 'bad.lab', 'unknown'],
    ['capitals', line('WEB1', ed), 'web1', 'match'],
    ['a port', line('[web1]:2222', ed), '[web1]:2222', 'match'],
    ['another port', line('[web1]:2222', ed), 'web1', 'unknown'],
    ['another key', line('web1', other), 'web1', 'changed'],
    ['several keys of one host', `${line('web1', other)}\n${line('web1', ed)}`, 'web1', 'match'],
    ['a revoked key', `@revoked ${line('*', ed)}\n${line('web1', ed)}`, 'web1', 'revoked'],
    ['another key that is revoked', `@revoked ${line('*', other)}\n${line('web1', ed)}`, 'web1', 'match'],
    ['a certificate authority, which is no host key', `@cert-authority ${line('*', ed)}`, 'web1', 'unknown'],
    ['a marker that nobody knows', `@other ${line('web1', ed)}`, 'web1', 'unknown'],
  ])('%s', (_name, text, host, verdict) => {
    expect(judge(text, host, ed)).toBe(verdict)
  })

  it('is right about an entry that ssh-keygen hashed', () => {
    const dir = mkdtempSync(join(tmpdir(), 'kh-'))
    const file = join(dir, 'kh')
    writeFileSync(file, `${line('web1', ed)}\n`)
    execFileSync('ssh-keygen', ['-H', '-f', file], { stdio: 'ignore' })
    const text = readFileSync(file, 'utf8')
    rmSync(dir, { recursive: true })
    expect(text).toMatch(/^\|1\|/)
    expect(judge(text, 'web1', ed)).toBe('match')
    expect(judge(text, 'web2', ed)).toBe('unknown')
  })
})

describe('knownFor', () => {
  it('lists key types and authorities of a host', () => {
    const text = [
      line('web1', ed),
      line('web1', rsa, 'ssh-rsa'),
      `@cert-authority ${line('*.lab', ed)}`,
    ].join('\n')
    expect(knownFor(parseKnownHosts(text, 'kh'), ['web1'])).toEqual({
      types: ['ssh-ed25519', 'ssh-rsa'],
      authority: false,
    })
    expect(knownFor(parseKnownHosts(text, 'kh'), ['a.lab'])).toEqual({ types: [], authority: true })
  })
})

describe('orderAlgorithms', () => {
  it('asks for known types first, so that a good host does not look changed', () => {
    expect(orderAlgorithms(['ecdsa-sha2-nistp256'])[0]).toBe('ecdsa-sha2-nistp256')
    expect(orderAlgorithms(['ssh-rsa']).slice(0, 2)).toEqual(['rsa-sha2-512', 'rsa-sha2-256'])
    expect(orderAlgorithms([])[0]).toBe('ssh-ed25519')
  })

  it('asks for SHA-1 only where nothing else is known', () => {
    expect(orderAlgorithms([])).not.toContain('ssh-rsa')
    expect(orderAlgorithms(['ssh-rsa']).at(-1)).toBe('ssh-rsa')
  })
})

describe('wildcardMatches', () => {
  it('is what a regular expression says', () => {
    const letters = fc.string({ unit: fc.constantFrom('a', 'b', '*', '?'), maxLength: 8 })
    const text = fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 8 })
    fc.assert(
      fc.property(letters, text, (pattern, value) => {
        const wanted = new RegExp(`^${pattern.replaceAll('*', '.*').replaceAll('?', '.')}$`).test(value)
        expect(wildcardMatches(pattern, value)).toBe(wanted)
      }),
    )
  })
})

describe('the file', () => {
  let dir = ''
  beforeAll(() => {
    dir = mkdtempSync(join(tmpdir(), 'kh-'))
  })
  afterAll(() => rmSync(dir, { recursive: true, force: true }))

  it('is made 0600 in a directory 0700', async () => {
    const file = join(dir, 'ssh', 'known_hosts')
    await addKnownHost(file, 'web1', ed, false)
    expect(statSync(file).mode & 0o777).toBe(0o600)
    expect(statSync(join(dir, 'ssh')).mode & 0o777).toBe(0o700)
    expect(readFileSync(file, 'utf8')).toBe(`${line('web1', ed)}\n`)
  })

  it('takes keys from many at once, loses none and writes none twice', async () => {
    const file = join(dir, 'many')
    writeFileSync(file, line('old', ed))
    const names = Array.from({ length: 20 }, (_, i) => `web${i}`)
    await Promise.all([...names, ...names].map((name) => addKnownHost(file, name, ed, true)))
    const entries = await readKnownHosts([file, join(dir, 'none')])
    expect(entries).toHaveLength(21)
    for (const name of ['old', ...names]) expect(judgeKey(entries, [name], ed).kind).toBe('match')
  })

  it('says which file it cannot write', async () => {
    await expect(addKnownHost(join(dir, 'many', 'file'), 'web1', ed, false)).rejects.toMatchObject({
      code: 'E_SSH_HOST_KEY',
      message: expect.stringContaining(join(dir, 'many')),
    })
  })
})

describe('fingerprint', () => {
  it('is the one that ssh-keygen prints', () => {
    const dir = mkdtempSync(join(tmpdir(), 'fp-'))
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', join(dir, 'k')])
    const printed = execFileSync('ssh-keygen', ['-lf', join(dir, 'k.pub')], { encoding: 'utf8' })
    const blob = Buffer.from(readFileSync(join(dir, 'k.pub'), 'utf8').split(' ')[1] ?? '', 'base64')
    rmSync(dir, { recursive: true })
    expect(printed).toContain(fingerprint(blob))
  })
})
