import { describe, expect, it } from 'vitest'
import { loadCertificates, readCertificates } from './ca-certificates.js'
import { CERTIFICATE_ONE, CERTIFICATE_TWO } from './certificates.fixture.js'
import type { OptionProblem } from './option-problem.js'

describe('readCertificates', () => {
  it('reads one and several, whatever is around them', () => {
    const text = `# corporate\n${CERTIFICATE_ONE}\r\nsubject=x\n${CERTIFICATE_TWO.replaceAll('\n', '\r\n')}`
    const found = readCertificates('ca.pem', Buffer.from(text))
    expect(Array.isArray(found) && found.map(String)).toEqual([CERTIFICATE_ONE, CERTIFICATE_TWO])
  })

  it.each([
    ['', '"ca.pem" holds no certificate'],
    ['\x30\x82\x01\x8d', '"ca.pem" holds no certificate'],
    ['-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n', 'holds no certificate'],
    [
      '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n',
      'certificate 1 of "ca.pem" cannot be read',
    ],
    [
      `${CERTIFICATE_ONE}-----BEGIN CERTIFICATE-----\nAA\n-----END CERTIFICATE-----`,
      'certificate 2 of "ca.pem"',
    ],
    [`${CERTIFICATE_ONE}-----BEGIN PRIVATE KEY-----\nAA\n-----END PRIVATE KEY-----`, 'holds a private key'],
    ['-----BEGIN EC PRIVATE KEY-----\nAA\n-----END EC PRIVATE KEY-----', 'holds a private key'],
  ])('refuses %j', (text, message) => {
    expect(readCertificates('ca.pem', Buffer.from(text, 'latin1'))).toMatchObject({
      message: expect.stringContaining(message),
    })
  })
})

it('takes each certificate of several files once, and tells every file that cannot be read', async () => {
  const files: Record<string, string> = {
    a: CERTIFICATE_ONE,
    b: CERTIFICATE_TWO + CERTIFICATE_ONE,
    c: 'nothing',
  }
  const problems: OptionProblem[] = []
  const found = await loadCertificates(
    ['a', 'b', 'c', 'gone'],
    {
      readFile: async (path) => {
        const text = files[path]
        if (text === undefined) throw Object.assign(new Error('x'), { code: 'ENOENT' })
        return Buffer.from(text)
      },
    },
    (problem) => problems.push(problem),
  )
  expect(found.map(String)).toEqual([CERTIFICATE_ONE, CERTIFICATE_TWO])
  expect(problems.map(({ code, message }) => [code, message])).toEqual([
    [undefined, '"c" holds no certificate'],
    ['E_LOCAL_FILE', 'cannot read "gone": no such file'],
  ])
})
