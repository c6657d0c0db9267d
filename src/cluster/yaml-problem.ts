import type { YAMLError } from 'yaml'

/** Texts for the errors whose own message repeats a part of the file, which may be a password, or speaks to programmers. */
const SAFE: Readonly<Record<string, string>> = {
  BAD_ALIAS: 'a word that begins with * has to be in quotes',
  TAG_RESOLVE_FAILED: 'a word that begins with ! has to be in quotes',
  BAD_DIRECTIVE: 'a line that begins with % is not understood',
  BAD_SCALAR_START: 'a word that begins with @ or ` has to be in quotes',
  BAD_DQ_ESCAPE: 'a backslash between double quotes has to be doubled',
  UNEXPECTED_TOKEN: 'this is not YAML',
  IMPOSSIBLE: 'this is not YAML',
  RESOURCE_EXHAUSTION: 'the file is nested too deep',
  MULTIPLE_DOCS:
    'a second document begins here, and the file may hold one only: remove it with its line of ---',
}

/** What a YAML error says, lower case and without anything of the file's own text. */
export function yamlMessage(error: YAMLError): string {
  const text = SAFE[error.code] ?? (error.message.split('\n')[0] ?? '').replace(/\.$/, '')
  return text.charAt(0).toLowerCase() + text.slice(1)
}
