import { open } from 'node:fs/promises'
import type { Readable, Writable } from 'node:stream'
import { ReadStream, WriteStream } from 'node:tty'
import { AirliftError } from '../../core/errors.js'

/**
 * Asks on the terminal of the process, which need not be its standard input, without showing what is typed.
 * @returns undefined when there is no terminal
 * @throws AirliftError E_INTERRUPTED on Ctrl-C
 */
export async function promptOnTerminal(question: string): Promise<string | undefined> {
  const input = await open('/dev/tty', 'r').catch(() => undefined)
  const output = await open('/dev/tty', 'w').catch(() => undefined)
  try {
    if (!input || !output) return undefined
    const keyboard = new ReadStream(input.fd)
    const screen = new WriteStream(output.fd)
    keyboard.setRawMode(true)
    try {
      return await readSecret(question, keyboard, screen)
    } finally {
      keyboard.setRawMode(false)
      keyboard.pause()
    }
  } finally {
    await input?.close().catch(() => {})
    await output?.close().catch(() => {})
  }
}

const CTRL_C = '\u0003'
const CTRL_D = '\u0004'
const CTRL_U = '\u0015'

/** Reads one line of keys from a terminal in raw mode: backspace and Ctrl-U correct, Ctrl-D and an end of input finish, Ctrl-C interrupts. */
export function readSecret(question: string, keyboard: Readable, screen: Writable): Promise<string> {
  screen.write(`${question}: `)
  let typed = ''
  return new Promise((resolve, reject) => {
    const finish = (): void => {
      keyboard.off('data', onData)
      keyboard.off('end', onEnd)
      screen.write('\n')
    }
    const onEnd = (): void => {
      finish()
      resolve(typed)
    }
    const onData = (chunk: Buffer | string): void => {
      for (const char of chunk.toString()) {
        if (char === '\r' || char === '\n' || char === CTRL_D) {
          onEnd()
          return
        }
        if (char === CTRL_C) {
          finish()
          reject(new AirliftError('E_INTERRUPTED', 'interrupted'))
          return
        }
        if (char === '\u007f' || char === '\b') typed = [...typed].slice(0, -1).join('')
        else if (char === CTRL_U) typed = ''
        else typed += char
      }
    }
    keyboard.on('data', onData)
    keyboard.on('end', onEnd)
  })
}
