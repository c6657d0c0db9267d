import type { ClusterSpec } from '../../cluster/spec.js'
import { AirliftError } from '../../core/errors.js'

/** `K10<hash of the CA>::server:<password>`: what a node that joins is given. */
const FULL = /^K10([0-9a-f]+)::(?:[^:]*:)?/

/** k3s' form of tokens that workers alone may join with, for a time; one that founds a cluster cannot look like it. */
const BOOTSTRAP = /^[a-z0-9]{6}\.[a-z0-9]{16}$/

/** What the masters of a cluster have for a token. */
export interface FoundToken {
  /** With the hash of its CA; absent until a first master has been up. */
  readonly full?: string | undefined
  /** What was written for a first master: the password alone. */
  readonly written?: string | undefined
}

/** The password in a token of either form. */
export function passwordOf(token: string): string {
  return token.replace(FULL, '')
}

/**
 * The password of a cluster: that of its masters, else what the configuration wants; undefined where one is to be made. Pure.
 * @throws AirliftError E_SPEC_INVALID where the configuration wants another one, or one that no cluster can begin with
 */
export function clusterToken({ name, config }: ClusterSpec, found: FoundToken): string | undefined {
  const wanted = typeof config.token === 'string' ? config.token : undefined
  const there = found.full ? passwordOf(found.full) : found.written
  if (wanted === undefined) return there
  if (there) {
    if (passwordOf(wanted) === there && !otherCa(wanted, found.full)) return there
    throw invalid(
      `the token in the configuration is not that of the cluster "${name}"`,
      'leave the token out: airlift reads it from a master',
    )
  }
  // k3s would end at each of its starts: the CA that such a token names does not exist yet.
  if (FULL.test(wanted))
    throw invalid(
      `the token in the configuration has the form K10…::…, which holds the CA of a cluster, and "${name}" has none yet`,
      'give the password only: what follows ::server:',
    )
  if (BOOTSTRAP.test(wanted))
    throw invalid(
      `the token in the configuration has the form of a bootstrap token, which cannot found the cluster "${name}"`,
      'give a password of another form than six characters, a dot and sixteen; or leave the token out: airlift makes one',
    )
  return wanted
}

function otherCa(wanted: string, full: string | undefined): boolean {
  const [mine, theirs] = [wanted, full ?? ''].map((token) => FULL.exec(token)?.[1])
  return mine !== undefined && theirs !== undefined && mine !== theirs
}

function invalid(message: string, hint: string): AirliftError {
  return new AirliftError('E_SPEC_INVALID', message, { hint })
}
