import type { Engine } from '../../machine/docker/engine.js'

/**
 * One small file of a container, also of one that does not run; undefined where it is not there.
 * @throws AirliftError E_ENGINE_NOT_FOUND and what the engine throws
 */
export async function readContainerFile(
  engine: Pick<Engine, 'getArchive'>,
  name: string,
  path: string,
): Promise<Buffer | undefined> {
  // Loaded late: most commands read no file of a container.
  const { readMembers } = await import('./read-file.js')
  const tar = await engine.getArchive(name, path)
  return tar && (await readMembers(tar))[0]?.content
}
