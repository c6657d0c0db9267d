import { AirliftError, type ErrorCode } from '../core/errors.js'

/** One thing that is wrong with what the user gave. */
export interface SpecProblem {
  readonly code: ErrorCode
  /** Where it is: a flag (`--masters`), a file, or a file and key (`registries.yaml: configs.x.tls`). */
  readonly path: string
  /** What is wrong, with the wrong value; lower case, no period, no secrets. */
  readonly message: string
  /** What to do about it. */
  readonly hint?: string
  /** 1-based line in the file. */
  readonly line?: number
  /** 1-based column in the line, or in the flag's text. */
  readonly col?: number
}

/** `path:line:col: message` as compilers write it, without what is unknown. */
export function describeProblem(problem: SpecProblem): string {
  const place = [problem.path, problem.line, problem.line === undefined ? undefined : problem.col]
  return `${place.filter((part) => part !== undefined).join(':')}: ${problem.message}`
}

/**
 * One error for all problems, so that the user can repair everything at once.
 * A single problem keeps its own code and hint; several of one code keep the code, mixed ones become `E_SPEC_INVALID`.
 * `data.errors` holds the list.
 */
export function problemsError(problems: readonly SpecProblem[]): AirliftError {
  const [first] = problems
  if (first === undefined) throw new RangeError('problemsError needs at least one problem')
  const data = { errors: problems.map((problem) => ({ ...problem })) }
  if (problems.length === 1) {
    return new AirliftError(first.code, describeProblem(first), {
      ...(first.hint === undefined ? {} : { hint: first.hint }),
      data,
    })
  }
  const code = problems.every((problem) => problem.code === first.code) ? first.code : 'E_SPEC_INVALID'
  const lines = problems.map((problem) => {
    const hint = problem.hint === undefined ? '' : ` (${problem.hint})`
    return `  ${describeProblem(problem)}${hint}`
  })
  return new AirliftError(code, `${problems.length} problems:\n${lines.join('\n')}`, {
    hint: 'repair all of them, then run the same command again; nothing was touched',
    data,
  })
}

/** Throws {@link problemsError} when there are any problems. */
export function throwProblems(problems: readonly SpecProblem[]): void {
  if (problems.length > 0) throw problemsError(problems)
}
