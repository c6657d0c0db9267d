import type { OptionProblem } from './option-problem.js'

/** k3s does not come up in less; a smaller number is one without its unit. */
const MIN_BYTES = 128 * 1024 ** 2
/** More than any computer has. */
const MAX_BYTES = 1024 ** 5
const POWERS: Readonly<Record<string, number>> = { '': 0, k: 1, m: 2, g: 3, t: 4 }
const HINT = 'write a number with b, k, m, g, Ki, Mi or Gi, such as 2g'

/** Bytes of `--memory`: docker's units (`512m`, `2g`, `1.5gb`) and Kubernetes' (`512Mi`, `2Gi`). All count in steps of 1024. */
export function parseMemory(text: string): number | OptionProblem {
  const match = /^(\d{1,15}(?:\.\d{1,9})?) ?(?:([kmgt])(?:b|ib?)?|b)?$/i.exec(text.trim())
  if (match === null) return { message: `"${text}" is not an amount of memory`, hint: HINT }
  const bytes = Math.floor(Number(match[1]) * 1024 ** (POWERS[(match[2] ?? '').toLowerCase()] ?? 0))
  if (bytes < MIN_BYTES) {
    return { message: `"${text}" is ${bytes} bytes, and a node needs 128m at least`, hint: HINT }
  }
  if (bytes > MAX_BYTES) return { message: `"${text}" is more than any computer has`, hint: HINT }
  return bytes
}
