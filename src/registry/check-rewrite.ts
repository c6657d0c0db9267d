/**
 * Checks a rewrite of a mirror. Patterns are Go's (RE2), which has neither lookaround nor backreferences; replacements are
 * those of Go's ReplaceAllString, where `$1x` is a group named `1x` and gives nothing.
 */
export function checkRewrite(
  pattern: string,
  replacement: string,
): { message: string; hint: string } | undefined {
  if (/\(\?(?:[=!]|<[=!])/.test(pattern) || /(?<!\\)(?:\\\\)*\\[1-9]/.test(pattern)) {
    return {
      message: `"${pattern}" uses lookaround or a backreference, which Go's expressions do not have`,
      hint: 'write it with groups, such as "^library/(.*)": "mirror/$1"',
    }
  }
  const groups = countGroups(pattern)
  if (groups === undefined) {
    return {
      message: `"${pattern}" is not a regular expression`,
      hint: 'check its brackets; a literal one needs a backslash',
    }
  }
  if (/\\[1-9]/.test(replacement)) {
    return {
      message: `"${replacement}" refers to a group with a backslash`,
      hint: `write ${replacement.replace(/\\([1-9])/g, '$${$1}')}`,
    }
  }
  for (const [whole, braced, plain] of replacement.matchAll(/\$(?:\{(\w+)\}|(\w+))/g)) {
    const name = braced ?? plain ?? ''
    if (/^\d+$/.test(name)) {
      if (Number(name) <= groups.count) continue
      return {
        message: `"${replacement}" refers to group ${name}, but "${pattern}" has ${groups.count}`,
        hint: 'put what is to be kept in parentheses',
      }
    }
    if (groups.names.has(name)) continue
    const digits = /^\d+/.exec(name)?.[0]
    const hint = digits
      ? `write \${${digits}}${name.slice(digits.length)}`
      : 'name the group with (?P<name>…)'
    return { message: `"${whole}" in "${replacement}" is no group of "${pattern}"`, hint }
  }
  return undefined
}

function countGroups(pattern: string): { count: number; names: Set<string> } | undefined {
  // What Go writes otherwise: inline flags, (?P<name>, anchors, POSIX classes.
  const script = pattern
    .replace(/\(\?P</g, '(?<')
    .replace(/\(\?[imsU-]+\)/g, '')
    .replace(/\(\?[imsU-]+:/g, '(?:')
    .replace(/\\[Az]/g, '')
    .replace(/\[:\^?[a-z]+:\]/g, 'a-z')
  try {
    const names = new Set([...script.matchAll(/\(\?<(\w+)>/g)].map((match) => match[1] ?? ''))
    // An empty alternative always matches, and the match has one place for each group.
    return { count: (new RegExp(`${script}|`).exec('')?.length ?? 1) - 1, names }
  } catch {
    return undefined
  }
}
