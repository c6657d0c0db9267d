import { createInterface } from 'node:readline/promises'
import { AirliftError } from '../core/errors.js'

/** Asks yes or no on the terminal; only `y` and `yes` are yes. */
export async function confirm(question: string, signal: AbortSignal): Promise<boolean> {
  const lines = createInterface({ input: process.stdin, output: process.stderr })
  // readline takes Ctrl-C for itself; airlift's own handler must see it.
  lines.on('SIGINT', () => process.kill(process.pid, 'SIGINT'))
  try {
    const answer = await lines.question(`${question} [y/N] `, { signal })
    return /^y(es)?$/i.test(answer.trim())
  } catch (error) {
    throw signal.aborted ? signal.reason : error
  } finally {
    lines.close()
  }
}

/** Asks for a secret on the terminal, without echo. @throws AirliftError E_INTERRUPTED on Ctrl-C */
export function askHidden(question: string, signal: AbortSignal): Promise<string> {
  const { stdin, stderr } = process
  return new Promise((resolve, reject) => {
    let typed = ''
    const end = (settle: () => void): void => {
      stdin.off('data', onData)
      signal.removeEventListener('abort', onAbort)
      stdin.setRawMode(false)
      stdin.pause()
      stderr.write('\n')
      settle()
    }
    const onAbort = (): void => end(() => reject(signal.reason))
    const onData = (chunk: Buffer): void => {
      for (const char of chunk.toString('utf8')) {
        if (char === '\r' || char === '\n') {
          end(() => resolve(typed))
          return
        }
        // In raw mode Ctrl-C and Ctrl-D arrive as characters.
        if (char === '\x03' || (char === '\x04' && typed === '')) {
          end(() => reject(new AirliftError('E_INTERRUPTED', 'interrupted at a question')))
          return
        }
        typed = char === '\x7f' || char === '\b' ? [...typed].slice(0, -1).join('') : typed + char
      }
    }
    stderr.write(`${question}: `)
    stdin.setRawMode(true)
    stdin.resume()
    stdin.on('data', onData)
    signal.addEventListener('abort', onAbort, { once: true })
  })
}
