import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { describe, expect, it, vi } from 'vitest'
import { createSecretSource } from './secret-source.js'
import { readSecret } from './terminal-prompt.js'

const noTerminal = async (): Promise<undefined> => undefined

describe('createSecretSource', () => {
  it('takes the environment before it asks', async () => {
    const prompt = vi.fn(async () => 'typed')
    const source = createSecretSource({ AIRLIFT_SUDO_PASSWORD: 'from env' }, prompt)
    expect((await source.sudoPassword('root@web1')).reveal()).toBe('from env')
    expect(prompt).not.toHaveBeenCalled()
    expect(source.given('sudo-password')).toBe(true)
    expect(source.given('ssh-password')).toBe(false)
  })

  it('reads the file that a variable names, without its newline', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'secret-'))
    writeFileSync(join(dir, 'pw'), 'from file\n')
    const source = createSecretSource({ AIRLIFT_SSH_PASSWORD_FILE: join(dir, 'pw') }, noTerminal)
    expect((await source.sshPassword('x')).reveal()).toBe('from file')
    rmSync(dir, { recursive: true })
    const gone = createSecretSource({ AIRLIFT_SSH_PASSWORD_FILE: join(dir, 'pw') }, noTerminal)
    await expect(gone.sshPassword('x')).rejects.toMatchObject({
      code: 'E_LOCAL_FILE',
      message: expect.stringContaining(join(dir, 'pw')),
    })
  })

  it('asks once, however many machines want it, and one question at a time', async () => {
    let open = 0
    const questions: string[] = []
    const source = createSecretSource({}, async (question) => {
      questions.push(question)
      expect(++open).toBe(1)
      await new Promise((resolve) => setTimeout(resolve, 5))
      open--
      return 'typed'
    })
    await Promise.all([
      source.sudoPassword('a'),
      source.sudoPassword('b'),
      source.sshPassword('a'),
      source.keyPassphrase('/k/1'),
      source.keyPassphrase('/k/1'),
      source.keyPassphrase('/k/2'),
    ])
    expect(questions).toEqual([
      'sudo password (a)',
      'SSH password (a)',
      'passphrase of /k/1',
      'passphrase of /k/2',
    ])
  })

  it('says what to set where there is no terminal', async () => {
    const source = createSecretSource({}, noTerminal)
    await expect(source.sudoPassword('a')).rejects.toMatchObject({
      code: 'E_SUDO',
      hint: expect.stringContaining('AIRLIFT_SUDO_PASSWORD'),
    })
    await expect(source.sshPassword('a')).rejects.toMatchObject({
      code: 'E_SSH_AUTH',
      hint: expect.stringContaining('AIRLIFT_SSH_PASSWORD'),
    })
    await expect(source.keyPassphrase('/k')).rejects.toMatchObject({
      code: 'E_SSH_AUTH',
      hint: expect.stringContaining('AIRLIFT_KEY_PASSPHRASE'),
    })
  })
})

describe('readSecret', () => {
  async function type(...keys: string[]) {
    const keyboard = new PassThrough()
    const screen = new PassThrough()
    const read = readSecret('Password', keyboard, screen)
    for (const key of keys) keyboard.write(key)
    const answer = await read.catch((error: { code: string }) => error.code)
    return { answer, shown: String(screen.read()) }
  }

  it('shows the question and nothing of the answer', async () => {
    expect(await type('se', 'cret\r')).toEqual({ answer: 'secret', shown: 'Password: \n' })
  })

  it('knows backspace and Ctrl-U', async () => {
    expect((await type('wrong\u0015sé\u007fecrr\u007fet\n')).answer).toBe('secret')
  })

  it('is interrupted by Ctrl-C', async () => {
    expect((await type('se\u0003')).answer).toBe('E_INTERRUPTED')
  })
})
