import type { Client } from 'ssh2'

/** Bastion connections, one for each, however many hosts are behind it. */
export interface BastionPool {
  /** The connection of that name, dialled when nobody has it open, and the way to let it go; the last one to do so closes it. */
  use(name: string, dial: () => Promise<Client>): Promise<{ readonly client: Client; release(): void }>
}

interface Held {
  readonly client: Promise<Client>
  users: number
}

/** Makes the pool of one operation. */
export function createBastionPool(): BastionPool {
  const open = new Map<string, Held>()
  return {
    async use(name, dial) {
      let held = open.get(name)
      if (!held) {
        held = { client: dial(), users: 0 }
        open.set(name, held)
      }
      const mine = held
      mine.users++
      const forget = (): void => {
        if (open.get(name) === mine) open.delete(name)
      }
      try {
        const client = await mine.client
        client.once('close', forget)
        let released = false
        return {
          client,
          release: () => {
            if (released) return
            released = true
            client.off('close', forget)
            mine.users--
            if (mine.users > 0) return
            forget()
            client.end()
          },
        }
      } catch (error) {
        forget()
        throw error
      }
    },
  }
}
