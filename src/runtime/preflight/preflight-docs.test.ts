import { expect, it } from 'vitest'
import { preflightDocs } from './preflight-docs.js'

it('docs/preflight.md holds every code (after a change: npx vitest run --project unit preflight-docs -u)', async () => {
  await expect(preflightDocs()).toMatchFileSnapshot('../../../docs/preflight.md')
})
