import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isAirliftError } from '../core/errors.js'
import { findHostConflicts, machineKey } from './host-conflicts.js'
import { parseHostList } from './host-list.js'
import type { SpecProblem } from './problems.js'

const noFiles = async (path: string): Promise<string> => {
  throw new Error(`ENOENT: ${path}`)
}
const parse = (text: string, files: Record<string, string> = {}) =>
  parseHostList(text, { flag: '--masters' }, async (path) => files[path] ?? noFiles(path))
const texts = async (text: string, files?: Record<string, string>) =>
  (await parse(text, files)).targets.map((target) => target.text)
const failure = async (text: string, files?: Record<string, string>) => {
  const error = await parse(text, files).then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  if (!isAirliftError(error)) throw new Error(`"${text}" was taken`)
  return error
}

describe('parseHostList', () => {
  it.each([
    ['10.0.0.1', ['10.0.0.1']],
    ['root@10.0.0.1:22', ['root@10.0.0.1:22']],
    ['ssh://root@10.0.0.1:22', ['root@10.0.0.1:22']],
    ['a,b  c\n d', ['a', 'b', 'c', 'd']],
    ['10.0.0.[1-3]', ['10.0.0.1', '10.0.0.2', '10.0.0.3']],
    [
      'root@h[08-11].lan:2222',
      ['root@h08.lan:2222', 'root@h09.lan:2222', 'root@h10.lan:2222', 'root@h11.lan:2222'],
    ],
    ['r[1-2]n[1,3]', ['r1n1', 'r1n3', 'r2n1', 'r2n3']],
    ['10.0.0.254-10.0.1.1', ['10.0.0.254', '10.0.0.255', '10.0.1.0', '10.0.1.1']],
    ['u@10.0.0.1-3:22', ['u@10.0.0.1:22', 'u@10.0.0.2:22', 'u@10.0.0.3:22']],
    ['[fd00::1]:22', ['[fd00::1]:22']],
    ['root@fd00::1', ['root@fd00::1']],
    ['fd00::[1-2]', ['fd00::1', 'fd00::2']],
    ['fe80::1%eth0', ['fe80::1%eth0']],
    ['CORP\\me@h', ['CORP\\me@h']],
    ['node-1-2', ['node-1-2']],
  ])('reads %s', async (text, expected) => {
    expect(await texts(text)).toEqual(expected)
  })

  it('keeps the parts', async () => {
    const { targets } = await parse('root@[fd00::1]:2222,local')
    expect(targets).toEqual([
      { kind: 'ssh', text: 'root@[fd00::1]:2222', host: 'fd00::1', user: 'root', port: 2222 },
      { kind: 'local', text: 'local', host: 'local' },
    ])
  })

  it('reads a plain number as a count', async () => {
    expect(await parse('3')).toEqual({ targets: [], count: 3 })
    expect((await failure('501')).message).toContain('501 containers')
    expect((await failure('3,10.0.0.1')).message).toContain('"3" is a number')
  })

  it('reads files with comments, and refuses nested ones with file and line', async () => {
    const files = {
      'hosts.txt': '# masters\r\nroot@a\n\nb:2222 # second\n',
      nested: 'a\n@hosts.txt\n',
      empty: '# \n',
    }
    expect(await texts('@hosts.txt,c', files)).toEqual(['root@a', 'b:2222', 'c'])
    expect((await failure('@nested', files)).message).toContain('nested:2:1: "@hosts.txt"')
    expect((await failure('@empty', files)).message).toContain('names no host')
    expect((await failure('@gone', files)).message).toContain('"gone"')
  })

  it.each([
    ['10.0.0.256', '"10.0.0.256" is not an IPv4 address', 1],
    ['10.0.0', '"10.0.0" is not an IPv4 address', 1],
    ['root@', 'the host is missing', 6],
    ['a,b:99999', '"99999" is not a port', 5],
    ['a,b:x', '"x" is not a port', 5],
    ['h[1-', 'the bracket is not closed', 2],
    ['h[9-1]', 'runs backwards', 3],
    ['h[a-c]', 'is not a range of numbers', 3],
    ['h]', 'closed that was not opened', 2],
    ['-oProxyCommand=x', 'is not a host name', 1],
    ['-x@h', '"-x" is not a user name', 1],
    ['a..b', '"a..b" is not a host name', 1],
    ['fd00::zz', 'is not an IPv6 address', 1],
    ['[fd00::1]22', '"22" follows the address', 10],
    ['10.0.0.9-10.0.0.1', 'runs backwards', 10],
    ['10.0.0.9-300', 'is not the end of a range', 10],
    ['root@local', '"local" takes no user', 1],
    ['h/24', 'is not a host name', 1],
    ['', 'the host list is empty', undefined],
    [',, ', 'the host list is empty', undefined],
  ])('refuses %s with the place and an example', async (text, message, col) => {
    const error = await failure(text)
    expect(error).toMatchObject({ code: 'E_HOST_INVALID', exit: 2 })
    expect(error.message).toContain(message)
    expect(error.message).toContain('--masters')
    expect(error.hint).toBeTruthy()
    const [first] = (error.data?.errors ?? []) as SpecProblem[]
    expect(first?.col).toBe(col)
  })

  it('tells all wrong words at once', async () => {
    const error = await failure('ok,a:0,10.0.0.999,[fd00::1')
    expect(error.data?.errors).toHaveLength(3)
    expect(error.message).toContain('"0" is not a port')
    expect(error.message).toContain('10.0.0.999')
  })

  it('does not show a password that was typed into the list', async () => {
    const error = await failure('root:hunter2@h')
    expect(error.message).not.toContain('hunter2')
    expect(JSON.stringify(error.data)).not.toContain('hunter2')
  })

  it.each(['10.[0-255].[0-255].[0-255]', '1.0.0.0-1.152.150.127', 'h[1-10000000]', 'h[1-999999999999999]'])(
    'refuses %s without making the list',
    async (text) => {
      const start = performance.now()
      const before = process.memoryUsage().heapUsed
      const error = await failure(text)
      expect(error.message).toMatch(/at most 5000/)
      expect(performance.now() - start).toBeLessThan(1000)
      expect(process.memoryUsage().heapUsed - before).toBeLessThan(20e6)
    },
  )

  it('never crashes and never takes a host that could be an option', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.string({ unit: fc.constantFrom(...'a1.-[]:@,% \\/fd'.split('')) }),
        async (text) => {
          try {
            for (const target of (await parse(text)).targets) expect(target.host).not.toMatch(/^-|\s|,|\[/)
          } catch (error) {
            if (!isAirliftError(error)) throw error
          }
        },
      ),
    )
  })
})

describe('findHostConflicts', () => {
  const conflicts = async (masters: string, nodes = 'w', port?: number) =>
    findHostConflicts((await parse(masters)).targets, (await parse(nodes)).targets, port).map(
      (p) => p.message,
    )

  it('finds the same host and port, whoever the user', async () => {
    expect(await conflicts('root@a,A:22')).toEqual(['host A:22 is named twice (also as root@a)'])
    expect(await conflicts('[fd00::1],fd00:0::1')).toHaveLength(1)
    expect(await conflicts('a,a:2222', 'w', 2222)).toHaveLength(1)
    expect(await conflicts('a:2201,a:2202')).toEqual([])
  })

  it('names a host that is a master and a worker', async () => {
    expect(await conflicts('root@a', 'admin@a')).toEqual([
      'host admin@a is both a master and a worker (also as root@a)',
    ])
    expect(await conflicts('local', 'local')).toHaveLength(1)
  })

  it('uses the port in the key', async () => {
    const [target] = (await parse('Host.')).targets
    expect(target && machineKey(target, 2222)).toBe('host:2222')
  })
})
