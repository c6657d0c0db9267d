import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'

const bin = fileURLToPath(new URL('../../bin/airlift.js', import.meta.url))
const built = existsSync(fileURLToPath(new URL('../../dist/bin/main.cjs', import.meta.url)))

it.skipIf(!built)('a reader that goes away early is no error', () => {
  const script = `"$0" "$1" completion bash | head -n 1 > /dev/null; echo "\${PIPESTATUS[0]}"`
  const output = execFileSync('bash', ['-c', `{ ${script}; } 2>&1`, process.execPath, bin], {
    encoding: 'utf8',
  })
  expect(output).toBe('0\n')
})
