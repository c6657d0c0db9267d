import type { Readable } from 'node:stream'
import { byteStream } from './member-stream.js'

/**
 * Sends bytes that are made while they are sent. What goes wrong in the making is told, rather than what the receiver says
 * of an end that came too early. @throws what `chunks` throws, else what `send` throws
 */
export async function sendMade(
  chunks: AsyncIterable<Buffer>,
  send: (bytes: Readable) => Promise<void>,
): Promise<void> {
  let failure: { readonly error: unknown } | undefined
  const watched = async function* (): AsyncGenerator<Buffer> {
    try {
      yield* chunks
    } catch (error) {
      failure = { error }
      throw error
    }
  }
  const bytes = byteStream(watched())
  // Without a listener an error of the source would end the process once nobody reads any more.
  bytes.on('error', () => {})
  try {
    await send(bytes)
  } catch (error) {
    throw failure ? failure.error : error
  } finally {
    bytes.destroy()
  }
}
