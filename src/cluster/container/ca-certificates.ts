import { X509Certificate } from 'node:crypto'
import { reasonOf, type SpecIo } from '../spec-io.js'
import { isOptionProblem, type OptionProblem } from './option-problem.js'

const BLOCK = /-----BEGIN ([A-Z0-9 ]+)-----[\s\S]*?-----END \1-----/g
const HINT = 'name a file with certificates in PEM, -----BEGIN CERTIFICATE-----'

/** Reads `--ca FILE`: the certificates in a PEM file, one buffer each. A private key in it is refused: it is not to leave here. */
export function readCertificates(path: string, content: Buffer): readonly Buffer[] | OptionProblem {
  const blocks = [...content.toString('latin1').matchAll(BLOCK)]
  if (blocks.some(([, kind]) => kind?.endsWith('PRIVATE KEY'))) {
    return { message: `"${path}" holds a private key`, hint: 'name a file with the certificates alone' }
  }
  const certificates: Buffer[] = []
  for (const [text, kind] of blocks) {
    if (kind !== 'CERTIFICATE') continue
    try {
      certificates.push(Buffer.from(new X509Certificate(text).toString()))
    } catch {
      return { message: `certificate ${certificates.length + 1} of "${path}" cannot be read`, hint: HINT }
    }
  }
  if (certificates.length === 0) return { message: `"${path}" holds no certificate`, hint: HINT }
  return certificates
}

/** The certificates of several files, each once. */
export async function loadCertificates(
  paths: readonly string[],
  io: Pick<SpecIo, 'readFile'>,
  refuse: (problem: OptionProblem) => void,
): Promise<Buffer[]> {
  const found = new Map<string, Buffer>()
  for (const path of paths) {
    try {
      const certificates = readCertificates(path, await io.readFile(path))
      if (isOptionProblem(certificates)) refuse(certificates)
      else for (const certificate of certificates) found.set(certificate.toString('latin1'), certificate)
    } catch (error) {
      const message = `cannot read "${path}": ${reasonOf(error)}`
      refuse({ code: 'E_LOCAL_FILE', message, hint: 'name a file on this computer that you may read' })
    }
  }
  return [...found.values()]
}
