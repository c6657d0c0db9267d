import type { ContainerSpec } from '../container-spec.js'
import type { OptionProblem } from './option-problem.js'

/** What {@link parseGpus} gives. */
export type GpuRequest = NonNullable<ContainerSpec['gpus']>

const HINT =
  'write all, a number, device=0,1, count=2,capabilities=utility, or a name of CDI: device=nvidia.com/gpu=all'
/** `VENDOR/CLASS=NAME`, as CDI names devices. */
const CDI = /^[A-Za-z0-9][\w.-]*\/[A-Za-z0-9][\w.-]*=[A-Za-z0-9][\w.:-]*$/

/**
 * Reads `--gpus` as docker does: `all`, `2`, `device=0`, `"device=0,1"` with the quotes inside, `count=2`,
 * `capabilities=utility`. Numbers behind `device=` are taken for devices without the quotes too. The capability `gpu` is
 * always asked for. Devices may be named as CDI does, `device=nvidia.com/gpu=all`: all of them or none.
 */
export function parseGpus(text: string): GpuRequest | OptionProblem {
  const refuse = (message: string): OptionProblem => ({ message, hint: HINT })
  const fields = splitFields(text)
  if (fields === undefined) return refuse(`"${text}" has a quote that is not closed`)
  const ids: string[] = []
  const capabilities = ['gpu']
  let count: number | undefined
  let driver: string | undefined
  let list: string[] | undefined
  for (const field of fields) {
    const equals = field.indexOf('=')
    // A word without a key goes on with the list before it, and is a number of devices where there is none.
    if ((equals < 0 || CDI.test(field)) && list !== undefined && field !== 'all') {
      list.push(field)
      continue
    }
    const key = equals < 0 ? 'count' : field.slice(0, equals)
    const value = field.slice(equals + 1)
    list = undefined
    if (key === 'count') {
      if (count !== undefined) return refuse(`"${text}" gives the number twice`)
      if (value !== 'all' && !/^[1-9]\d{0,5}$/.test(value))
        return refuse(`"${value}" is not a number of GPUs`)
      count = value === 'all' ? -1 : Number(value)
    } else if (key === 'device') {
      list = ids
      ids.push(...value.split(','))
    } else if (key === 'capabilities') {
      list = capabilities
      capabilities.push(...value.split(','))
    } else if (key === 'driver' && /^(nvidia|cdi)$/.test(value)) {
      driver = value
    } else {
      return refuse(`"${field}" of --gpus is not supported`)
    }
  }
  const described = ids.filter((id) => CDI.test(id))
  const cdi = driver === 'cdi' || described.length > 0
  if (cdi && (driver === 'nvidia' || described.length < ids.length || ids.length === 0))
    return refuse(`"${text}" mixes devices of CDI with others, or names none`)
  const words = [...ids.filter((id) => !CDI.test(id)), ...capabilities]
  const wrong = words.find((word) => !/^[A-Za-z0-9][\w.:/-]*$/.test(word))
  if (wrong !== undefined) return refuse(`"${wrong}" in "${text}" is neither a device nor a capability`)
  if (count !== undefined && ids.length > 0) return refuse(`"${text}" gives a number and devices`)
  return {
    count: count ?? (ids.length > 0 ? 0 : 1),
    ids: [...new Set(ids)],
    capabilities: [...new Set(capabilities)],
    ...(cdi ? { driver: 'cdi' as const } : {}),
  }
}

/** A request as `--gpus` takes it. */
export function gpusText({ count, ids, capabilities }: GpuRequest): string {
  const devices = ids.length > 0 ? `device=${ids.join(',')}` : count < 0 ? 'all' : String(count)
  // The one that is always asked for need not be told.
  const more = capabilities.filter((word) => word !== 'gpu')
  return more.length > 0 ? `${devices},capabilities=${more.join(',')}` : devices
}

/** Fields between commas; double quotes keep the commas inside them. Undefined where a quote is not closed. */
function splitFields(text: string): string[] | undefined {
  if ((text.match(/"/g) ?? []).length % 2 === 1) return undefined
  const fields = text.match(/(?:"[^"]*"|[^,"])+/g) ?? ['']
  return fields.map((field) => field.replaceAll('"', '').trim())
}
