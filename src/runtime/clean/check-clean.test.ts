import { execFileSync } from 'node:child_process'
import { describe, expect, it } from 'vitest'
import { createContext } from '../../core/context.js'
import { createFakeMachine } from '../../machine/fake/fake-machine.js'
import { SHELLS } from '../../machine/shells.fixture.js'
import { checkClean, cleanProblems, parseClean } from './check-clean.js'
import { CLEAN_END, cleanScript } from './clean-script.js'

describe('the script', { timeout: 60_000 }, () => {
  it('says the same under every shell, and comes to its end', () => {
    const answers = SHELLS.map(([program = '', ...rest]) =>
      execFileSync(program, rest, {
        input: cleanScript(),
        encoding: 'utf8',
        stdio: ['pipe', 'pipe', 'pipe'],
      }),
    )
    expect(answers.length).toBeGreaterThan(0)
    for (const answer of answers) expect(answer).toContain(CLEAN_END)
    // Processes come and go while the shells are tried.
    const steady = answers.map((answer) => parseClean(answer).filter((remain) => remain.kind !== 'process'))
    for (const remains of steady) expect(remains).toEqual(steady[0])
  })

  it('only reads: no word in it changes a host', () => {
    expect(cleanScript()).not.toMatch(
      /\b(rm|mv|umount|rmdir|kill|ip link|ip netns|modprobe|mkdir|touch|tee|-restore|destroy|flush|systemctl (stop|disable|kill|reset))\b/,
    )
    expect(cleanScript().replaceAll(/2?>\/dev\/null/g, '')).not.toMatch(/[^0-9&]>{1,2}\s*["/$a-z]/)
  })
})

describe('remains', () => {
  const answer = [
    'left\tpath\t/var/lib/cni',
    'left\tlink\tcni0',
    'left\tlink\tcni0',
    ...Array.from({ length: 8 }, (_, i) => `left\tiptables\tiptables-save: :KUBE-SVC-${i} - [0:0]`),
    'left\tnonsense\tx',
    CLEAN_END,
    '',
  ].join('\n')

  it('are read once each, of known kinds', () => {
    const remains = parseClean(answer)
    expect(remains).toHaveLength(10)
    expect(remains[0]).toEqual({ kind: 'path', evidence: '/var/lib/cni' })
  })

  it('become problems: a few of each kind by name, the rest as a number', () => {
    const problems = cleanProblems('root@a', parseClean(answer))
    expect(problems.map((entry) => entry.message)).toEqual([
      'network interface cni0 is left',
      ...Array.from({ length: 5 }, (_, i) => `iptables rule iptables-save: :KUBE-SVC-${i} - [0:0] is left`),
      '3 more of this kind are left: iptables rule',
      'path /var/lib/cni is left',
    ])
    expect(
      problems.every(
        (entry) => entry.code === 'not-clean' && entry.severity === 'error' && entry.machine === 'root@a',
      ),
    ).toBe(true)
  })

  it('are none only when the script came to its end', async () => {
    const ctx = createContext({})
    const bare = createFakeMachine({ on: [{ match: 'left()', reply: `${CLEAN_END}\n` }] })
    expect(await checkClean(bare, ctx)).toEqual([])
    expect(bare.stats.roundTrips).toBe(1)
    const cut = createFakeMachine({ name: 'root@b', on: [{ match: 'left()', reply: 'left\tpath' }] })
    await expect(checkClean(cut, ctx)).rejects.toMatchObject({ code: 'E_COMMAND', machine: 'root@b' })
    const failed = createFakeMachine({
      on: [{ match: 'left()', reply: { exitCode: 127, stdout: CLEAN_END } }],
    })
    await expect(checkClean(failed, ctx)).rejects.toMatchObject({ code: 'E_COMMAND' })
  })
})
