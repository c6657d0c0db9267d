import type { ImportResult } from '../../operations/images/import-images.js'
import type { ImageList, ListedImage } from '../../operations/images/list-images.js'
import { count, formatBytes, formatSeconds } from './quantity.js'
import type { Style } from './style.js'
import { renderTable } from './table.js'

/** What became of every image on every node, and the sum below. */
export function renderImport(result: ImportResult, style: Style): string {
  const rows = result.machines.flatMap(({ node, images }) =>
    images.map(({ name, outcome }, index) => [index === 0 ? node : '', name, outcome]),
  )
  return `${rows.length > 0 ? `${renderTable(['node', 'image', 'result'], rows)}\n\n` : ''}${headline(result, style)}`
}

function headline({ outcome, images, machines, bytesSent, seconds }: ImportResult, style: Style): string {
  const what = count(new Set(images.map((image) => image.name)).size, 'image')
  const good = machines.filter((machine) => machine.outcome !== 'failed').length
  const numbers = `${formatBytes(bytesSent)} sent in ${formatSeconds(seconds)}`
  switch (outcome) {
    case 'unchanged':
      return `${style.green('✓')} ${what}: every node has them (${formatSeconds(seconds)}, ${formatBytes(bytesSent)} sent)`
    case 'done':
      return `${style.green('✓')} ${what} on ${count(machines.length, 'machine')}, ${numbers}`
    case 'partial':
      return `${style.yellow('!')} ${what} on ${good} of ${count(machines.length, 'machine')}, ${numbers}`
    default:
      return `${style.red('✗')} no machine has all of the images`
  }
}

/** One row for each image: `!` where nodes differ. */
export function renderImageList(list: ImageList, onlyDifferent: boolean): string {
  const asked = list.machines.filter((machine) => machine.error === null).length
  if (list.images.length === 0) {
    if (asked === 0) return 'no node could be asked'
    return onlyDifferent ? `no difference between ${count(asked, 'node')}` : 'no images'
  }
  const rows = list.images.flatMap((image) => imageRows(image, asked))
  return renderTable(['', 'image', 'id', 'size', 'nodes'], rows)
}

/** A row for each image that stands under the name: one, unless nodes differ. */
function imageRows({ name, same, nodes, missing }: ListedImage, asked: number): string[][] {
  const byId = new Map<string, { size: number; on: string[] }>()
  for (const { id, sizeBytes, node } of nodes) {
    const entry = byId.get(id) ?? { size: sizeBytes, on: [] }
    entry.on.push(node)
    byId.set(id, entry)
  }
  const mark = same ? '' : '!'
  const rows = [...byId].map(([id, { size, on }], index) => {
    const where = on.length === asked && asked > 1 ? `all ${asked}` : on.join(', ')
    return [mark, index === 0 ? name : '', id.replace('sha256:', '').slice(0, 12), formatBytes(size), where]
  })
  const last = rows.at(-1)
  if (last && missing.length > 0) last[4] += ` (not ${missing.join(', ')})`
  return rows
}
