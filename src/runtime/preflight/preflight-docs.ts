import { type CodeInfo, PREFLIGHT_CODES, preflightCodes } from './codes.js'

const HEAD = `# Preflight

Before anything is changed, \`airlift run\` looks at every machine with one script and one round trip, and tells all problems
of all machines at once. Errors refuse with exit code 5; warnings are shown and let the run go on. \`airlift doctor\` is the
same check alone, and shows what is only worth knowing as well; \`airlift doctor --clean\` proves instead that nothing of
airlift and k3s is left on the machines.

\`--ignore CODE[,CODE]\` lets an error pass; a code that cannot be ignored is refused there (exit 2). With \`-o json\` every
problem has \`code\`, \`severity\`, \`machine\`, \`message\`, \`fix\` and \`ignorable\`; the codes do not change between releases.

What the probe does: it reads, runs as root, and writes one empty file into the nearest directory that exists of each place
where k3s needs to write, and removes it at once. That is how a read-only or immutable directory is found.

| severity | means |
| --- | --- |
| error | refused, unless ignored |
| warning | shown; it may be what you want |
| info | shown by \`doctor\` only |

A code may be graver or milder than the table says where its text tells so.
`

/** The text of docs/preflight.md: every code, what it means, how to fix it. */
export function preflightDocs(): string {
  const sections = preflightCodes.map((code) => section(code, PREFLIGHT_CODES[code]))
  return `${HEAD}\n## Codes\n\n${sections.join('\n')}`
}

function section(code: string, { severity, ignorable, means, fix }: CodeInfo): string {
  const refuses = severity === 'error' ? (ignorable ? 'error' : 'error, cannot be ignored') : severity
  return `### ${code}\n\n${refuses}. ${means}\n\nFix: ${fix}\n`
}
