import { homedir, userInfo } from 'node:os'

/** What resolving a host asks of this computer; tests give their own. */
export interface LocalFacts {
  readonly home: string
  readonly user: string
  readonly uid: number
  readonly env: Readonly<Record<string, string | undefined>>
}

/** The facts of the computer that airlift runs on. */
export function localFacts(env: Readonly<Record<string, string | undefined>>): LocalFacts {
  const info = userInfo()
  return { home: env.HOME || homedir(), user: info.username, uid: info.uid, env }
}
