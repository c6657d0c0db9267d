import type { Engine } from './engine.js'

/** Whether a container has a path, also one that does not run. Nothing of it is read: it may be large. */
export async function pathExists(engine: Engine, name: string, path: string): Promise<boolean> {
  const tar = await engine.getArchive(name, path)
  tar?.on('error', () => {})
  tar?.destroy()
  return tar !== undefined
}
