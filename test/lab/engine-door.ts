import { mkdtempSync, rmSync } from 'node:fs'
import { connect, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/**
 * A door to an engine that knows when the engine has done all that it was asked for through it: an engine finishes what a
 * process wanted of it that was killed meanwhile, and only then it can be said what that process left behind.
 */
export interface EngineDoor {
  /** What DOCKER_HOST is for it. */
  readonly host: string
  /** Waits until all that was asked is answered; those who asked must have hung up, or be dead. */
  settled(): Promise<void>
  close(): Promise<void>
}

/** Opens a door to the engine at a `unix://` address. */
export async function openEngineDoor(engine: string): Promise<EngineDoor> {
  const dir = mkdtempSync(join(tmpdir(), 'door-'))
  const open = new Map<Socket, Promise<void>>()
  const server = createServer({ allowHalfOpen: true }, (user) => {
    const to = connect({ path: engine.replace(/^unix:\/\//, ''), allowHalfOpen: true })
    // Those of a process that was killed end like any other: what it had asked for is answered first, to nobody.
    user.pipe(to).pipe(user)
    user.on('close', () => {
      to.end()
      to.resume()
    })
    user.on('error', () => {})
    to.on('error', () => user.destroy())
    const gone = new Promise<void>((resolve) => to.once('close', resolve)).then(() => {
      open.delete(to)
    })
    open.set(to, gone)
    // A terminal or a script in a container lasts as long as that wants to; nobody waits for it.
    user.on('data', (chunk: Buffer) => {
      if (/\r\nupgrade: tcp\r\n/i.test(chunk.toString('latin1'))) open.delete(to)
    })
  })
  const path = join(dir, 's')
  await new Promise<void>((resolve) => server.listen(path, resolve))
  return {
    host: `unix://${path}`,
    async settled() {
      while (open.size > 0) await Promise.all(open.values())
    },
    async close() {
      for (const socket of open.keys()) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
      rmSync(dir, { recursive: true, force: true })
    },
  }
}
