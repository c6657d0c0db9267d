import type { Taint } from './spec.js'

/** A label or taint as a flag gives it, with the nodes that it is for. */
export interface ForNodes<T> {
  readonly value: T
  /** Absent: every node. */
  readonly filter?: string
}

/** Why a label or taint is refused. */
export interface LabelProblem {
  readonly message: string
  readonly hint: string
}

const LABEL_HINT = 'write KEY=VALUE[@FILTER], such as disk=ssd@workers:0'
const TAINT_HINT = 'write KEY=VALUE:EFFECT[@FILTER] with NoSchedule, PreferNoSchedule or NoExecute'
// Kubernetes: apimachinery/pkg/util/validation, IsQualifiedName and IsValidLabelValue.
const NAME = /^[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/
const PREFIX = /^[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*$/
const EFFECTS = ['NoSchedule', 'PreferNoSchedule', 'NoExecute'] as const

// What a kubelet may say about itself: k8s.io/kubelet/pkg/apis, IsKubeletLabel. Any other kubernetes.io label ends it.
const SELF_SET = new Set([
  'kubernetes.io/hostname',
  'kubernetes.io/os',
  'kubernetes.io/arch',
  'beta.kubernetes.io/os',
  'beta.kubernetes.io/arch',
  'beta.kubernetes.io/instance-type',
  'node.kubernetes.io/instance-type',
  'topology.kubernetes.io/region',
  'topology.kubernetes.io/zone',
  'failure-domain.beta.kubernetes.io/region',
  'failure-domain.beta.kubernetes.io/zone',
])

/** Reads `--node-label K=V[@FILTER]`. */
export function parseNodeLabel(text: string): ForNodes<{ key: string; value: string }> | LabelProblem {
  const { body, filter } = splitFilter(text)
  const equals = body.indexOf('=')
  if (equals < 0) return { message: `"${text}" is not a label`, hint: LABEL_HINT }
  const key = body.slice(0, equals)
  const value = body.slice(equals + 1)
  const wrong = checkKey(key) ?? checkValue(value)
  if (wrong !== undefined) return { message: `${wrong} in the label "${text}"`, hint: LABEL_HINT }
  const refused = checkSelfSet(key, value)
  return refused ?? { value: { key, value }, ...(filter === undefined ? {} : { filter }) }
}

/** Reads `--node-taint K=V:EFFECT[@FILTER]`; `K:EFFECT` has an empty value. */
export function parseNodeTaint(text: string): ForNodes<Taint> | LabelProblem {
  const { body, filter } = splitFilter(text)
  const colon = body.lastIndexOf(':')
  const effect = EFFECTS.find((known) => known === body.slice(colon + 1))
  if (colon < 0 || effect === undefined) {
    const shown =
      colon < 0 ? `"${text}" has no effect` : `"${body.slice(colon + 1)}" is not an effect of a taint`
    return { message: shown, hint: TAINT_HINT }
  }
  const [key = '', value = '', ...more] = body.slice(0, colon).split('=')
  const wrong =
    more.length > 0 ? `"${value}=${more.join('=')}" is not a value` : (checkKey(key) ?? checkValue(value))
  if (wrong !== undefined) return { message: `${wrong} in the taint "${text}"`, hint: TAINT_HINT }
  return { value: { key, value, effect }, ...(filter === undefined ? {} : { filter }) }
}

/** Neither labels nor taints may hold an `@`, so the first one begins the filter; filters may hold more. */
function splitFilter(text: string): { body: string; filter: string | undefined } {
  const at = text.indexOf('@')
  return at < 0 ? { body: text, filter: undefined } : { body: text.slice(0, at), filter: text.slice(at + 1) }
}

function checkKey(key: string): string | undefined {
  const parts = key.split('/')
  const name = parts.at(-1) ?? ''
  const prefix = parts.length === 2 ? parts[0] : undefined
  if (parts.length > 2 || !NAME.test(name)) return `"${key}" is not a key`
  if (prefix !== undefined && (prefix.length > 253 || !PREFIX.test(prefix)))
    return `"${prefix}" is not a prefix`
  return undefined
}

function checkValue(value: string): string | undefined {
  return value === '' || NAME.test(value) ? undefined : `"${value}" is not a value`
}

function checkSelfSet(key: string, value: string): LabelProblem | undefined {
  const prefix = key.includes('/') ? (key.split('/')[0] ?? '') : ''
  const within = (domain: string): boolean => prefix === domain || prefix.endsWith(`.${domain}`)
  if (!within('kubernetes.io') && !within('k8s.io')) return undefined
  if (SELF_SET.has(key) || within('kubelet.kubernetes.io') || within('node.kubernetes.io')) return undefined
  return {
    message: `a node may not give itself the label "${key}"`,
    hint: `set it when the cluster is up: kubectl label node NAME ${key}=${value}`,
  }
}
