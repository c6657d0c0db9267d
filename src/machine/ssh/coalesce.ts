import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'

/**
 * Makes the writes of one turn of the event loop leave together. Without its native binding ssh2 writes each packet in
 * three pieces (length, text, tag), and with Nagle switched off each would be a system call and a segment of its own; through
 * a bastion, each would be a packet of the outer connection. Measured: 15 % less processor time for an upload.
 */
export function coalesceWrites(stream: Duplex): Duplex {
  const write = stream.write.bind(stream) as (data: Buffer) => boolean
  const vectored = stream instanceof Socket
  let held: Buffer[] | undefined

  const flush = (): void => {
    const chunks = held ?? []
    held = undefined
    if (vectored) stream.uncork()
    else if (stream.writable) write(Buffer.concat(chunks))
  }
  const coalesced = (data: Buffer): boolean => {
    if (held === undefined) {
      held = []
      if (vectored) stream.cork()
      process.nextTick(flush)
    }
    if (vectored) return write(data)
    held.push(data)
    return true
  }
  stream.write = coalesced as typeof stream.write
  return stream
}
