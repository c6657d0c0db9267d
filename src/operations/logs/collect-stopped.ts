import type { Context } from '../../core/context.js'
import { toAirliftError } from '../../core/errors.js'
import { Secret } from '../../core/secret.js'
import type { Engine } from '../../machine/docker/engine.js'
import { readContainerFile } from '../../rootfs/tar/read-container-file.js'
import { afterFirstLine, type Collected, CUT, readable, secretsOf } from './collect-machine.js'
import { keptFiles, MAX_BYTES, MAX_MACHINE_BYTES, SECRET_FILES } from './sections.js'
import type { Tree } from './write-tree.js'

/** The secrets of {@link SECRET_FILES} in a container that does not run, so that they can be taken out of its logs. */
export async function stoppedSecrets(name: string, engine: Engine, ctx: Context): Promise<Secret[]> {
  const texts = await Promise.all(
    SECRET_FILES.map(async (path) => {
      // An engine tells quickly that there is no such file; an archive takes it a while.
      if (!(await engine.hasPath(name, path).catch(() => false))) return ''
      return (await readContainerFile(engine, name, path).catch(() => undefined))?.toString('utf8') ?? ''
    }),
  )
  ctx.signal.throwIfAborted()
  return secretsOf(texts.join('\n')).map((text) => new Secret(text))
}

/**
 * What an engine lets be read of a container that does not run: nothing can be run in it, its files are there. What cannot be
 * read says so in its place; files that it does not have are left out.
 */
export async function collectStopped(
  { name, role }: { readonly name: string; readonly role: 'master' | 'worker' },
  dir: string,
  engine: Engine,
  secrets: Secret[],
  tree: Tree,
  ctx: Context,
): Promise<Collected> {
  const { readTail } = await import('../../rootfs/tar/read-tail.js')
  const cut: string[] = []
  let files = 0
  let bytes = 0
  for (const { path, ...section } of keptFiles(role)) {
    ctx.signal.throwIfAborted()
    const room = Math.min(MAX_BYTES, MAX_MACHINE_BYTES - bytes)
    const target = `${dir}/${section.file}`
    let text: string
    try {
      const tar = (await engine.hasPath(name, path)) ? await engine.getArchive(name, path) : undefined
      const tail = tar && (await readTail(tar, room))
      if (!tail) continue
      const content = tail.content.toString('utf8')
      text = tail.whole ? content : `${CUT}\n${afterFirstLine(content)}`
      if (!tail.whole) cut.push(target)
    } catch (error) {
      ctx.signal.throwIfAborted()
      await tree.write(target, `${toAirliftError(error, 'E_ENGINE').message}\n`)
      continue
    }
    bytes += await tree.write(target, readable(section, text, secrets))
    files += 1
  }
  return { files, bytes, cut }
}
