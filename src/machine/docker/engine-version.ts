import { AirliftError, isAirliftError } from '../../core/errors.js'
import type { EngineHttp, EngineQuestion } from './engine-http.js'
import type { VersionAnswer } from './engine-info.js'
import { engineKind } from './engine-info.js'

/** What every engine from Docker 20.10 on speaks; Docker 29 refuses versions below 1.44. */
const OLDEST = 40
/** The newest that airlift was written for: 1.48 lets a save name a platform. */
const NEWEST = 48

/**
 * The version of the API to speak: the newest that both sides know.
 * @throws AirliftError E_UNSUPPORTED when there is none
 */
export function chooseApi(version: VersionAnswer, url: string): string {
  const kind = engineKind(version)
  const name = `${kind === 'podman' ? 'Podman' : 'Docker'} ${version.Version ?? '?'}`
  const unsupported = (why: string): AirliftError =>
    new AirliftError('E_UNSUPPORTED', `the container engine at ${url} (${name}) cannot be used: ${why}`, {
      machine: url,
      hint: 'use Docker 20.10 or newer, or Podman 4 or newer',
    })
  const podman = kind === 'podman' ? Number.parseInt(podmanVersion(version), 10) : undefined
  if (podman !== undefined && podman < 4) {
    throw unsupported('its compatible API lacks fixed addresses and commands with their own standard input')
  }
  const newest = minor(version.ApiVersion)
  const oldest = minor(version.MinAPIVersion) ?? 0
  if (newest === undefined) throw unsupported(`it tells no version of its API (${version.ApiVersion})`)
  if (newest < OLDEST) throw unsupported(`its API ${version.ApiVersion} is older than 1.${OLDEST}`)
  return `1.${Math.max(Math.min(newest, NEWEST), oldest)}`
}

/**
 * The version of the API to speak, as Docker tells it in a millisecond; its answer about its version takes it 40, since it
 * runs programs of others for it. Undefined where that answer has to be asked for: of Podman, of what is too old or too new,
 * and where there is no such answer.
 * @throws AirliftError E_ENGINE_UNREACHABLE, E_INTERRUPTED
 */
export async function pingedApi(http: EngineHttp, question: EngineQuestion): Promise<string | undefined> {
  try {
    const told = await http.headers('/_ping', question)
    const newest = minor(String(told['api-version']))
    if (newest === undefined || newest < OLDEST || told['libpod-api-version'] !== undefined) return undefined
    const version = `1.${Math.min(newest, NEWEST)}`
    // One that is much newer may have forgotten that version.
    if (newest > NEWEST) await http.headers(`/v${version}/_ping`, question)
    return version
  } catch (error) {
    if (!isAirliftError(error) || error.code === 'E_ENGINE_UNREACHABLE' || error.code === 'E_INTERRUPTED')
      throw error
    return undefined
  }
}

/** Of Podman the version of the engine, which its `Version` is too, except in old releases. */
function podmanVersion(version: VersionAnswer): string {
  return version.Components?.find((one) => /podman/i.test(one.Name ?? ''))?.Version ?? version.Version ?? ''
}

function minor(version: string | undefined): number | undefined {
  const found = /^1\.(\d+)$/.exec(version ?? '')
  return found ? Number(found[1]) : undefined
}
