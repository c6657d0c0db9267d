import { describe, expect, it } from 'vitest'
import { Secret } from '../../core/secret.js'
import { createAuthenticator, orderCandidates } from './authenticate.js'
import type { KeyFile } from './key-store.js'
import type { ResolvedHost } from './resolved-host.js'

const blob = (name: string): Buffer => Buffer.from(name)
const file = (name: string): KeyFile => ({
  file: `/k/${name}`,
  blob: blob(name),
  type: 'ssh-ed25519',
  problem: undefined,
  open: () => Promise.reject(new Error('not asked for')),
})
const held = (name: string) => ({ blob: blob(name), comment: `${name}@agent` })
const labels = (...args: Parameters<typeof orderCandidates>): string[] =>
  orderCandidates(...args).map((each) => each.label)

describe('orderCandidates', () => {
  it("is ssh's order: named keys in the agent, other keys of the agent, files", () => {
    expect(labels([file('a'), file('b')], [held('x'), held('b')], false)).toEqual([
      'b@agent (agent)',
      'x@agent (agent)',
      '/k/a',
    ])
  })

  it('offers no other key with IdentitiesOnly', () => {
    expect(labels([file('a'), file('b')], [held('x'), held('b')], true)).toEqual(['b@agent (agent)', '/k/a'])
  })

  it('offers each key once, and no file without a key', () => {
    const missing = { ...file('m'), blob: undefined, problem: 'not found' }
    expect(labels([file('a'), missing, file('a')], [held('x'), held('x')], false)).toEqual([
      'x@agent (agent)',
      '/k/a',
    ])
  })
})

const host = { alias: 'web1', hostName: '10.0.0.1', user: 'root', identityAgent: undefined } as ResolvedHost

async function offers(
  password: boolean,
  answers: readonly (readonly string[])[],
  candidates = orderCandidates([file('a')], [], false),
) {
  const auth = createAuthenticator({
    host,
    candidates,
    skipped: [],
    password: password ? () => Promise.resolve(new Secret('pw')) : undefined,
  })
  const made: unknown[] = []
  for (const left of [null, ...answers]) {
    made.push(await new Promise((resolve) => auth.handler(left, false, resolve)))
  }
  return { types: made.map((each) => (each === false ? false : (each as { type: string }).type)), auth, made }
}

describe('createAuthenticator', () => {
  it('asks what the server takes, then offers keys, then gives up', async () => {
    const { types } = await offers(false, [
      ['publickey', 'password'],
      ['publickey', 'password'],
    ])
    expect(types).toEqual(['none', 'agent', false])
  })

  it('tries a password once, never a second time as keyboard-interactive', async () => {
    const all = ['publickey', 'password', 'keyboard-interactive']
    expect((await offers(true, [all, all, all])).types).toEqual(['none', 'agent', 'password', false])
  })

  it('answers hidden prompts of keyboard-interactive with the password', async () => {
    const { types, made } = await offers(true, [['keyboard-interactive']])
    expect(types).toEqual(['none', 'keyboard-interactive'])
    const { prompt } = made[1] as { prompt: (...args: unknown[]) => void }
    const answers = await new Promise((resolve) =>
      prompt('', '', '', [{ prompt: 'Password:' }, { prompt: 'Name', echo: true }], resolve),
    )
    expect(answers).toEqual(['pw', ''])
  })

  it('goes on to a second factor', async () => {
    const { types } = await offers(true, [['publickey'], ['password']])
    expect(types).toEqual(['none', 'agent', 'password'])
  })

  it('does not offer keys to a server that takes none', async () => {
    expect((await offers(false, [['password']])).types).toEqual(['none', false])
  })

  it('says what was tried, what was not, and what the server takes', async () => {
    const { auth } = await offers(true, [
      ['publickey', 'password'],
      ['publickey', 'password'],
    ])
    const error = auth.refused()
    expect(error.code).toBe('E_SSH_AUTH')
    expect(error.message).toContain('10.0.0.1 refused root: tried password')
    expect(error.message).toContain('the server accepts publickey, password')
    expect(error.message).not.toContain('pw')
  })

  it('advises a password where the server takes one and none was given', async () => {
    const { auth } = await offers(false, [['publickey', 'password']])
    expect(auth.refused().hint).toContain('--ask-pass')
  })
})
