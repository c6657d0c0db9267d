import type { Client } from 'ssh2'

/**
 * Runs a command with this process' own stdin, stdout and stderr; with `tty` on a terminal of the same size.
 * @returns the exit code; 255 when the connection is lost, as ssh does
 */
export function interactOverSsh(client: Client, command: string, tty: boolean): Promise<number> {
  const { stdin, stdout, stderr } = process
  const raw = tty && stdin.isTTY === true
  const size = { rows: stdout.rows ?? 24, cols: stdout.columns ?? 80, width: 0, height: 0 }
  const options = tty ? { pty: { ...size, term: process.env.TERM ?? 'xterm' } } : {}
  return new Promise((resolve, reject) => {
    client.exec(command, options, (error, channel) => {
      if (error) {
        reject(error)
        return
      }
      const onResize = (): void => channel.setWindow(stdout.rows ?? 24, stdout.columns ?? 80, 0, 0)
      if (raw) stdin.setRawMode(true)
      if (tty) stdout.on('resize', onResize)
      stdin.pipe(channel)
      channel.pipe(stdout, { end: false })
      channel.stderr.pipe(stderr, { end: false })
      let code = 255
      channel.on('exit', (status: number | null) => {
        code = status ?? 255
      })
      channel.on('close', () => {
        stdin.unpipe(channel)
        stdin.pause()
        stdout.off('resize', onResize)
        if (raw) stdin.setRawMode(false)
        resolve(code)
      })
    })
  })
}
