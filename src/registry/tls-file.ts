/** Why a file is not what a TLS setting needs; undefined when it is. The content is never shown. */
export function checkTlsFile(
  key: 'ca_file' | 'cert_file' | 'key_file',
  content: Buffer,
): { message: string; hint: string } | undefined {
  const text = content.toString('latin1')
  const hasKey = /-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(text)
  const hasCertificate = text.includes('-----BEGIN CERTIFICATE-----')
  if (key !== 'key_file') {
    if (hasCertificate) return undefined
    const message = hasKey ? 'holds a key, not a certificate' : 'is not a PEM certificate'
    return { message, hint: 'convert DER with: openssl x509 -inform der -in FILE -out FILE.pem' }
  }
  if (!hasKey) {
    return {
      message: hasCertificate ? 'holds a certificate, not a key' : 'is not a PEM key',
      hint: 'name the private key of cert_file',
    }
  }
  if (/ENCRYPTED/.test(text)) {
    return {
      message: 'is encrypted, and k3s cannot ask for its passphrase',
      hint: 'decrypt it with: openssl pkey -in FILE -out FILE.plain',
    }
  }
  return undefined
}
