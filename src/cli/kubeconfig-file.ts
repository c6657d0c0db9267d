import { UsageError } from './io.js'

/** The file of `--kubeconfig` where one is changed. @throws UsageError for `-`, which is stdout and holds nothing to change */
export function kubeconfigFile(flags: Readonly<Record<string, unknown>>): string | undefined {
  if (flags.kubeconfig === '-')
    throw new UsageError('--kubeconfig - is stdout, and no file that can be changed')
  return typeof flags.kubeconfig === 'string' ? flags.kubeconfig : undefined
}
