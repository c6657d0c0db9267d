import type { ErrorCode } from '../../core/errors.js'
import { AirliftError, isAirliftError } from '../../core/errors.js'

/** What was asked of the engine when it failed. */
export interface EngineSubject {
  readonly kind: 'engine' | 'container' | 'network' | 'volume' | 'image'
  /** Name of the container, network, volume or image; the engine's URL otherwise. */
  readonly name: string
  /** What was tried, for the message: `start container`, `pull image`. */
  readonly verb: string
  /** URL of the engine. */
  readonly url: string
}

/** How an engine or the way to it failed. */
export interface EngineFailure {
  /** HTTP status; absent when no answer came, or when the error came inside a stream of progress. */
  readonly status?: number
  /** What the engine said, or the message of the socket's error. */
  readonly text: string
  /** `ENOENT`, `ECONNREFUSED` … of the socket. */
  readonly errno?: string
  readonly cause?: unknown
}

interface Verdict {
  readonly code: ErrorCode
  readonly message: string
  readonly hint: string
  readonly taken?: Taken
}

/** What somebody else has; `data.taken` of the error. */
export interface Taken {
  readonly kind: 'port' | 'subnet' | 'address'
  /** Where the engine names it. */
  readonly port?: number
}

type Rule = (failure: EngineFailure, subject: EngineSubject) => Verdict | undefined

/** In order: the first that knows the failure decides. The texts are those of Docker 20.10 to 29 and of Podman 4 and 5. */
const RULES: readonly Rule[] = [
  diskFull,
  unreachable,
  noIpv6,
  noGpu,
  privileges,
  takenPort,
  fixedAddress,
  takenAddress,
  takenSubnet,
  takenName,
  inUse,
  missingImage,
  notFound,
  notRunning,
  oldApi,
]

/** Maps what an engine or its socket said to a typed error; what it said stays in the message or the log. */
export function engineError(failure: EngineFailure, subject: EngineSubject): AirliftError {
  if (isAirliftError(failure.cause)) return failure.cause
  const machine = subject.kind === 'container' ? subject.name : subject.url
  const cause = failure.cause === undefined ? {} : { cause: failure.cause }
  for (const rule of RULES) {
    const verdict = rule(failure, subject)
    if (verdict) {
      const log = verdict.message.includes(failure.text) ? [] : [failure.text]
      const { code, message, hint, taken } = verdict
      return new AirliftError(code, message, {
        machine,
        hint,
        log,
        ...cause,
        ...(taken ? { data: { taken } } : {}),
      })
    }
  }
  const status = failure.status === undefined ? '' : ` (HTTP ${failure.status})`
  return new AirliftError('E_ENGINE', `the engine could not ${what(subject)}: ${failure.text}${status}`, {
    machine,
    hint: 'look at the log of the container engine, such as "journalctl -u docker"',
    ...cause,
  })
}

/** The error of an engine call that was given up. */
export function engineInterrupted(subject: EngineSubject, cause: unknown): AirliftError {
  return new AirliftError('E_INTERRUPTED', 'interrupted', { machine: subject.url, cause })
}

function what(subject: EngineSubject): string {
  return subject.kind === 'engine' ? subject.verb : `${subject.verb} ${subject.name}`
}

function diskFull({ text }: EngineFailure, subject: EngineSubject): Verdict | undefined {
  if (!/no space left on device|disk quota exceeded|not enough (disk )?space/i.test(text)) return undefined
  return {
    code: 'E_DISK_FULL',
    message: `no room on the engine's disk to ${what(subject)}`,
    hint: 'free space there: "docker system df" shows what takes it, "docker system prune" removes what is not used',
  }
}

/** A kernel without IPv6, or without the address translation of it that Docker sets up for each network. */
function noIpv6({ status, text }: EngineFailure, subject: EngineSubject): Verdict | undefined {
  if (status === undefined) return undefined
  const known =
    /cannot read ipv6 setup for bridge|ip6tables.*(not found|does not exist|failed|can't initialize)|\/proc\/sys\/net\/ipv6\S*: no such file|ipv6 (is|support is) (disabled|not (available|supported|enabled))|ipv6.*address family not supported|could not find an available, non-overlapping IPv6/i
  if (!known.test(text)) return undefined
  return {
    code: 'E_ENGINE',
    message: `the engine cannot ${what(subject)} with IPv6: ${text}`,
    hint: "switch IPv6 on in the kernel of the engine's computer (with its module ip6table_nat), or leave --ip-family dual out",
  }
}

function noGpu({ text }: EngineFailure, subject: EngineSubject): Verdict | undefined {
  const known =
    /could not select device driver|nvidia-container-cli|CDI device injection failed|unresolvable CDI devices|device driver.*cdi/i
  if (!known.test(text)) return undefined
  return {
    code: 'E_ENGINE',
    message: `the engine cannot ${what(subject)} with GPUs: ${text}`,
    hint: "install NVIDIA's driver and container toolkit on the engine's computer (nvidia-ctk runtime configure, or nvidia-ctk cdi generate) and restart the engine, or leave --gpus out",
  }
}

const GONE =
  /^(ENOENT|ECONNREFUSED|ECONNRESET|EHOSTUNREACH|ENETUNREACH|ETIMEDOUT|ENOTFOUND|EAI_AGAIN|EPIPE|ENOTSOCK)$/

function unreachable(failure: EngineFailure, subject: EngineSubject): Verdict | undefined {
  const { errno = '', text, status } = failure
  if (status !== undefined) return undefined
  const no = (reason: string, hint: string): Verdict => ({
    code: 'E_ENGINE_UNREACHABLE',
    message: `no container engine answers at ${subject.url}: ${reason}`,
    hint,
  })
  if (errno === 'EACCES' || errno === 'EPERM') {
    return no(
      'permission denied',
      'add your user to the group docker and log in again, or run airlift as root',
    )
  }
  if (errno === 'ENOENT')
    return no('there is no such socket', 'start the engine, or name another with DOCKER_HOST')
  if (errno === 'ECONNREFUSED')
    return no('connection refused', 'start the engine, or name another with DOCKER_HOST')
  if (GONE.test(errno) || /socket hang up|other side closed/i.test(text)) {
    return no(text, 'look whether the engine still runs and whether the way to it is open')
  }
  if (/certificate|self.signed|ERR_TLS|SSL|wrong version number|handshake/i.test(`${errno} ${text}`)) {
    return no(
      text,
      'look at DOCKER_TLS_VERIFY and DOCKER_CERT_PATH, or at the TLS files of the docker context',
    )
  }
  return undefined
}

function privileges({ status, text }: EngineFailure, subject: EngineSubject): Verdict | undefined {
  const refused =
    /authorization denied|privileged (mode|containers?) (is|are) (not|disabled|disallowed)|(not allowed|forbidden|refus\w+|denied|disabled).*privileged|privileged.*(not allowed|forbidden|refused|denied|disabled|incompatible)/i
  const kernel = subject.kind === 'container' && /operation not permitted/i.test(text)
  // Of an image, 401 is the word of a registry.
  if (!refused.test(text) && !kernel && (status !== 401 || subject.kind === 'image')) return undefined
  return {
    code: 'E_ENGINE_PRIVILEGE',
    message: `the engine refuses to ${what(subject)}: ${text}`,
    hint: 'nodes are privileged containers: use an engine that allows them, or bare hosts with --masters HOST',
  }
}

function takenPort({ text }: EngineFailure): Verdict | undefined {
  const found =
    /Bind for (\S+) failed: port is already allocated/i.exec(text) ??
    /listen (?:tcp|udp|sctp)[46]? (\S+): bind: (?:address already in use|An attempt)/i.exec(text) ??
    /(?:exposing port|Ports are not available|rootlessport|proxy already running)\D*?(\d\S*)/i.exec(text) ??
    /cannot listen on the TCP port: listen tcp[46]? (\S+):/i.exec(text)
  if (!found && !/port is already allocated|ports are not available/i.test(text)) return undefined
  const port = found?.[1]?.replace(/:$/, '')
  const number = Number(/\d+$/.exec(port ?? '')?.[0])
  return {
    code: 'E_ENGINE_CONFLICT',
    taken: { kind: 'port', ...(number > 0 ? { port: number } : {}) },
    message: `${port ? `port ${port}` : 'a port'} is taken on the engine's computer`,
    hint: 'give another port, or stop what listens there',
  }
}

/** Nodes must keep their addresses, and Docker keeps them only in networks that were made with a subnet. */
function fixedAddress({ text }: EngineFailure, subject: EngineSubject): Verdict | undefined {
  if (!/user configured subnets/i.test(text)) return undefined
  return {
    code: 'E_ENGINE_CONFLICT',
    message: `the network was made without --subnet, so ${subject.name} cannot keep an address in it`,
    hint: 'make it anew with a subnet: docker network create --subnet 192.168.77.0/24 NAME; or leave --network out',
  }
}

function takenAddress({ text }: EngineFailure, subject: EngineSubject): Verdict | undefined {
  if (
    !/address already in use|requested ip address \S+ is already allocated|IP address .* already/i.test(text)
  ) {
    return undefined
  }
  return {
    code: 'E_ENGINE_CONFLICT',
    taken: { kind: 'address' },
    message: `cannot ${what(subject)}: its address is taken by another container of the network`,
    hint: 'remove that container from the network, or create the cluster with another --subnet',
  }
}

function takenSubnet({ text }: EngineFailure, subject: EngineSubject): Verdict | undefined {
  if (
    !/pool overlaps|subnet \S+ (is already (used|being used)|overlaps)|overlaps with (other|existing)/i.test(
      text,
    )
  ) {
    return undefined
  }
  return {
    code: 'E_ENGINE_CONFLICT',
    taken: { kind: 'subnet' },
    message: `cannot ${what(subject)}: its subnet overlaps one that is in use`,
    hint: 'give another with --subnet, or remove the network that has it ("docker network ls")',
  }
}

function takenName({ text }: EngineFailure, subject: EngineSubject): Verdict | undefined {
  if (
    !/name "?\S+"? is already in use|name is already (in use|taken)|with name \S+ already exists/i.test(text)
  ) {
    return undefined
  }
  return {
    code: 'E_ENGINE_CONFLICT',
    message: `the name ${subject.name} is taken by another ${subject.kind}`,
    hint: `remove that ${subject.kind}, or give the cluster another name`,
  }
}

function inUse({ text }: EngineFailure, subject: EngineSubject): Verdict | undefined {
  if (
    !/active endpoints|volume is (in use|being used)|is being used by|is using its|has associated containers|image is in use|conflict: unable to (remove|delete)|cannot remove a running|container .* is running|removal of container \S+ is already in progress/i.test(
      text,
    )
  ) {
    return undefined
  }
  return {
    code: 'E_ENGINE_CONFLICT',
    message: `cannot ${what(subject)}: ${text}`,
    hint: `end what uses the ${subject.kind} first`,
  }
}

function missingImage({ status, text }: EngineFailure, subject: EngineSubject): Verdict | undefined {
  const pulls = subject.kind === 'image' && /^(pull|look up) image$/.test(subject.verb)
  if (!pulls && !/no such image|image not known|unable to find image/i.test(text)) {
    if (!(subject.kind === 'image' && status === 404)) return undefined
  }
  const image = /no such image: (\S+)/i.exec(text)?.[1] ?? subject.name
  return {
    code: 'E_IMAGE_MISSING',
    message: pulls ? `image ${image} cannot be pulled: ${text}` : `image ${image} is not on the engine`,
    hint: 'load it with "docker load", name another with --image, or let airlift make one from a rootfs with --rootfs',
  }
}

function notFound({ status, text }: EngineFailure, subject: EngineSubject): Verdict | undefined {
  if (status !== 404 && !/no such (container|network|volume|exec)|network \S+ not found/i.test(text))
    return undefined
  return {
    code: 'E_ENGINE_NOT_FOUND',
    message: `cannot ${what(subject)}: ${text}`,
    hint: 'look at "airlift list" for what is there',
  }
}

function notRunning({ text }: EngineFailure, subject: EngineSubject): Verdict | undefined {
  if (!/is not running|container state improper|is (paused|restarting)/i.test(text)) return undefined
  return {
    code: 'E_ENGINE',
    message: `cannot ${what(subject)}: ${text}`,
    hint: 'start it with "airlift start"',
  }
}

function oldApi({ text }: EngineFailure, subject: EngineSubject): Verdict | undefined {
  if (!/client version \S+ is too (old|new)|(minimum|maximum) supported API version/i.test(text))
    return undefined
  return {
    code: 'E_ENGINE',
    message: `the engine at ${subject.url} and airlift have no version of the API in common: ${text}`,
    hint: 'use Docker 20.10 or newer, or Podman 4 or newer',
  }
}
