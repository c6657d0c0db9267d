import { didYouMean } from '../../core/did-you-mean.js'
import { assignWords, example } from '../config-values.js'
import { holdsSecret, isSecretOption, K3S_OPTIONS, k3sOption, type OptionKind } from '../k3s-options.js'
import type { SpecProblem } from '../problems.js'
import type { Role } from '../spec.js'
import { splitFilteredText } from './filter.js'
import type { OptionProblem } from './option-problem.js'

/** An argument of k3s with its filter. */
export interface K3sArg {
  /** As it is handed to k3s. */
  readonly arg: string
  /** Name of the option, without dashes. */
  readonly key: string
  readonly filter?: string
  /** The one role whose k3s has the option; the other one's would not start with it. */
  readonly onlyRole?: Role
  /** Doubtful but taken. */
  readonly warning?: string
}

/** Options that decide how the cluster is put together, so that airlift has to know them. */
const PLANNED = new Set(['cluster-init', 'https-listen-port'])
/** Options whose values airlift chooses for containers. */
const CHOSEN = new Set(['node-name', 'node-ip', 'with-node-id', 'bind-address'])

/** Reads `--k3s-arg ARG[@FILTER]`, such as `--kubelet-arg=max-pods=200@workers:*`. Values of secret options are not shown. */
export function parseK3sArg(text: string): K3sArg | OptionProblem {
  const { body, filter } = splitFilteredText(text)
  const key = /^--?([A-Za-z][\w.-]*)(?:=|$)/.exec(body)?.[1]
  if (key === undefined) {
    return {
      message: `"${text}" is not an argument of k3s`,
      hint: 'write --k3s-arg=--OPTION=VALUE[@FILTER] in one word; an @ in a value is \\@',
    }
  }
  const option = k3sOption(key)
  if (CHOSEN.has(key)) {
    return {
      message: `--${key} cannot be given`,
      hint: 'leave it out: airlift gives each container its name and address',
    }
  }
  if (option?.owned !== undefined) return { message: `--${key} cannot be given`, hint: option.owned }
  if (option?.secret) {
    return { message: `--${key} would show its value in the list of processes`, hint: `use --set ${key}=…` }
  }
  if (PLANNED.has(key)) {
    const shown = body.includes('=') ? body.slice(body.indexOf('=') + 1) : 'true'
    return { message: `--${key} decides how the cluster is put together`, hint: `use --set ${key}=${shown}` }
  }
  const wrong = option && wrongValue(key, option.kind, body)
  if (wrong) return wrong
  const near = option === undefined ? didYouMean(key, Object.keys(K3S_OPTIONS)) : undefined
  const warning =
    option === undefined
      ? `--k3s-arg: k3s has no option "${key}"; it is passed on as it is${near === undefined ? '' : `; did you mean "${near}"?`}`
      : undefined
  return {
    arg: body,
    key,
    ...(filter === undefined ? {} : { filter }),
    ...(option === undefined || option.roles === 'both' ? {} : { onlyRole: option.roles }),
    ...(warning === undefined ? {} : { warning }),
  }
}

/** Values that Go's strconv.ParseBool takes, which reads a flag of k3s; `yes` and `on` only its configuration file has. */
const GO_BOOLEAN = /^(?:1|t|T|TRUE|true|True|0|f|F|FALSE|false|False)$/

/** What is wrong with the value of an option that k3s has: with it every start of k3s would end at once. */
function wrongValue(key: string, kind: OptionKind, body: string): OptionProblem | undefined {
  const at = body.indexOf('=')
  const value = at < 0 ? undefined : body.slice(at + 1)
  if (value === undefined)
    return kind === 'boolean'
      ? undefined
      : { message: `--${key} has no value`, hint: `write --k3s-arg=--${key}=VALUE in one word` }
  // Labels of containers are for everybody who may ask the engine.
  if (holdsSecret(value))
    return {
      message: `--${key} would show the password in its value among the labels of the container`,
      hint: `use --set ${key}=…`,
    }
  if (kind === 'boolean')
    return GO_BOOLEAN.test(value)
      ? undefined
      : { message: `"${value}" of --${key} is not true or false`, hint: `write --k3s-arg=--${key}` }
  if (kind === 'string' || kind === 'list') return undefined
  const problems: SpecProblem[] = []
  assignWords({}, key, [value], { path: '--k3s-arg' }, problems, false)
  const [problem] = problems
  return (
    problem && { message: problem.message, hint: `write --k3s-arg=--${key}=${example(key).split(': ')[1]}` }
  )
}

/** An argument of k3s as it may be shown: without its value where the option is a secret one. */
export function shownArg(arg: string): string {
  const key = /^--([^=]+)=/.exec(arg)?.[1]
  return key !== undefined && isSecretOption(key) ? arg.slice(0, arg.indexOf('=') + 1) : arg
}
