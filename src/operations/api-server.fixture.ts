import { generateKeyPairSync, sign } from 'node:crypto'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { TLSSocket } from 'node:tls'

// An API server that takes an admin's certificate, as that of k3s does. Keys are made for each test: none is kept in a file.

/** Who an API server and its admin are: one self-signed certificate for both, and for their authority. */
export interface Identity {
  readonly cert: string
  readonly key: string
}

/** An API server that is listening at 127.0.0.1. */
export interface ApiServer {
  readonly port: number
  /** Paths that an admin asked for, in order. */
  readonly asked: readonly string[]
  close(): Promise<void>
}

/** Who a server of the cluster is to its supervisor. */
export const SERVER_PASSWORD = 'cluster-token'
const SERVER = `server:${SERVER_PASSWORD}`

/** Answers admins, and servers, what `answer` says, and all others 401. */
export async function startApiServer(
  { cert, key }: Identity,
  answer: (path: string) => { readonly status: number; readonly body: string },
  port = 0,
): Promise<ApiServer> {
  const asked: string[] = []
  const server = createServer(
    { cert, key, ca: cert, requestCert: true, rejectUnauthorized: false },
    (request, response) => {
      // The supervisor's own paths are closed to the admin, too.
      const server = request.headers.authorization === `Basic ${Buffer.from(SERVER).toString('base64')}`
      const admin = (request.socket as TLSSocket).authorized
      if (!server && !admin) return response.writeHead(401).end('Unauthorized')
      if (request.url === '/db/info' && !server) return response.writeHead(403).end('forbidden')
      asked.push(request.url ?? '')
      const { status, body } = answer(request.url ?? '')
      return response.writeHead(status).end(body)
    },
  )
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  return {
    port: (server.address() as AddressInfo).port,
    asked,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

/** The admin's kubeconfig as k3s writes it: `admin` has the keys, `authority` is whose server is believed. */
export function adminKubeconfig(admin: Identity, authority: Identity = admin): string {
  const base64 = (text: string): string => Buffer.from(text).toString('base64')
  return `clusters:
- cluster:
    certificate-authority-data: ${base64(authority.cert)}
    server: https://127.0.0.1:6443
users:
- user:
    client-certificate-data: ${base64(admin.cert)}
    client-key-data: ${base64(admin.key)}
`
}

const ECDSA_SHA256 = oid(0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02)
const COMMON_NAME = oid(0x55, 0x04, 0x03)
const BASIC_CONSTRAINTS = oid(0x55, 0x1d, 0x13)

/** Makes a certificate that is its own authority; node reads certificates, but writes none. */
export function createIdentity(name: string): Identity {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
  const algorithm = sequence(ECDSA_SHA256)
  const who = sequence(der(0x31, sequence(COMMON_NAME, der(0x0c, Buffer.from(name)))))
  const yes = der(0x01, Buffer.from([0xff]))
  const toBeSigned = sequence(
    der(0xa0, integer(2)),
    integer(1),
    algorithm,
    who,
    sequence(der(0x17, Buffer.from('000101000000Z')), der(0x18, Buffer.from('99991231235959Z'))),
    who,
    publicKey.export({ type: 'spki', format: 'der' }),
    der(0xa3, sequence(sequence(BASIC_CONSTRAINTS, yes, der(0x04, sequence(yes))))),
  )
  const signature = Buffer.concat([Buffer.from([0]), sign('sha256', toBeSigned, privateKey)])
  const body = sequence(toBeSigned, algorithm, der(0x03, signature)).toString('base64')
  return {
    cert: `-----BEGIN CERTIFICATE-----\n${body.replace(/.{64}/g, '$&\n')}\n-----END CERTIFICATE-----\n`,
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  }
}

/** One value of the encoding that certificates are in: a tag, a length, the content. */
function der(tag: number, ...content: readonly Buffer[]): Buffer {
  const body = Buffer.concat(content)
  const { length } = body
  const size = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff]
  return Buffer.concat([Buffer.from([tag, ...size]), body])
}

function sequence(...content: readonly Buffer[]): Buffer {
  return der(0x30, ...content)
}

function integer(value: number): Buffer {
  return der(0x02, Buffer.from([value]))
}

function oid(...bytes: readonly number[]): Buffer {
  return der(0x06, Buffer.from(bytes))
}
