import { isMap, isSeq, YAMLMap, YAMLSeq } from 'yaml'
import { plain, textOf } from './document.js'

const EXTENSION = 'airlift'
const PREVIOUS = 'previous-context'

/**
 * Marks an entry as airlift's, with the context that was current before, in the extensions that kubeconfig has for tools.
 * So `reset` removes only what airlift wrote, and needs no file of its own to remember what to switch back to.
 */
export function markOwned(content: YAMLMap, previous?: string): void {
  const present = content.get('extensions', true)
  const list = isSeq(present) ? present : new YAMLSeq()
  if (!isSeq(present)) content.set('extensions', list)
  const found = findExtension(content)
  const extension = found ?? new YAMLMap()
  if (!found) {
    const entry = new YAMLMap()
    entry.set('extension', extension)
    entry.set('name', plain(EXTENSION))
    list.add(entry)
    extension.set('provider', plain(EXTENSION))
  }
  if (previous !== undefined) extension.set(PREVIOUS, plain(previous))
}

/** Whether airlift wrote an entry. */
export function isOwned(content: YAMLMap | undefined): boolean {
  return content !== undefined && findExtension(content) !== undefined
}

/** The context that was current before airlift's; empty when there was none. */
export function previousContext(content: YAMLMap | undefined): string {
  return content === undefined ? '' : textOf(findExtension(content)?.get(PREVIOUS, true))
}

function findExtension(content: YAMLMap): YAMLMap | undefined {
  const list = content.get('extensions', true)
  if (!isSeq(list)) return undefined
  for (const item of list.items) {
    if (!isMap(item) || textOf(item.get('name', true)) !== EXTENSION) continue
    const extension = item.get('extension', true)
    if (isMap(extension)) return extension
  }
  return undefined
}
