// Puts the command line into one file, with the packages that it uses: each module takes node half a millisecond to find and
// link, on every call, and compiled code is kept of a whole file (bin/load-main.js). The library, dist/index.js, is what the
// compiler wrote, and takes packages from node_modules.
import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { basename, dirname, join, sep } from 'node:path'
import { build } from 'esbuild'

const ROOT = dirname(import.meta.dirname)
// Two levels below the root, as the compiled modules are: they find rootfs/ and package.json by that.
const OUT = join(ROOT, 'dist', 'bin')

/** Parts of packages that airlift never calls, and that take longer to load than all that it does call. */
const UNUSED = [
  // dockerode: what it is for more than its modem is, and image builds over gRPC; only the modem speaks for airlift.
  {
    from: /[\\/]dockerode[\\/]lib[\\/]/,
    paths:
      /^\.\/(container|image|volume|network|service|plugin|secret|config|task|node|exec|session|buildkit)$|^@balena\/dockerignore$|^tar-fs$/,
  },
  // docker-modem: its own SSH, since airlift reaches such engines through OpenSSH, streams for both ways, and a log.
  { from: /[\\/]docker-modem[\\/]lib[\\/]/, paths: /^\.\/(ssh|http_duplex)$|^debug$/ },
]
/** What is asked for when a module that was left out is loaded, and not only when it is called. */
const ASKED = { debug: 'module.exports = () => () => {}' }

const leaveOut = {
  name: 'leave-out',
  setup(builder) {
    builder.onResolve({ filter: /./ }, ({ path, importer }) =>
      UNUSED.some((entry) => entry.from.test(importer) && entry.paths.test(path))
        ? { path, namespace: 'left-out' }
        : undefined,
    )
    builder.onLoad({ filter: /.*/, namespace: 'left-out' }, ({ path }) => ({
      contents:
        ASKED[path] ??
        `module.exports = () => { throw new Error(${JSON.stringify(`${path} is not part of airlift's command line`)}) }`,
    }))
  },
}

const { metafile } = await build({
  entryPoints: [join(ROOT, 'src', 'cli', 'main.ts')],
  outfile: join(OUT, 'main.cjs'),
  bundle: true,
  // Not ESM: node compiles that from kept code only from 22.8 on. What the source loads late is still run late.
  format: 'cjs',
  platform: 'node',
  target: 'node20.19',
  // It has parts in native code, and finds them beside itself.
  external: ['ssh2'],
  define: { 'import.meta.url': 'airliftUrl' },
  banner: { js: "const airliftUrl = require('node:url').pathToFileURL(__filename).href;" },
  minifyWhitespace: true,
  minifySyntax: true,
  legalComments: 'none',
  logLevel: 'warning',
  metafile: true,
  plugins: [leaveOut],
})

// Files of earlier builds go after an hour: a program that runs from this tree may still load parts of its own.
const made = new Set([...Object.keys(metafile.outputs).map((path) => basename(path)), 'THIRD_PARTY_LICENSES'])
for (const name of readdirSync(OUT)) {
  const path = join(OUT, name)
  if (!made.has(name) && Date.now() - statSync(path).mtimeMs > 3_600_000) rmSync(path)
}

const packages = new Set(
  Object.keys(metafile.inputs).flatMap((input) => {
    const [, path] = /(?:^|\/)node_modules\/(?!.*\/node_modules\/)(.+)/.exec(input.replaceAll(sep, '/')) ?? []
    const [scope = '', name] = path?.split('/') ?? []
    return path === undefined ? [] : [scope.startsWith('@') ? `${scope}/${name}` : scope]
  }),
)
const licences = [...packages].sort().map((name) => {
  const dir = join(ROOT, 'node_modules', name)
  const { version, license } = JSON.parse(readFileSync(join(dir, 'package.json'), 'utf8'))
  const file = ['LICENSE', 'LICENSE.md', 'LICENSE.txt', 'LICENCE', 'license', 'License'].find((one) =>
    existsSync(join(dir, one)),
  )
  const text = file ? readFileSync(join(dir, file), 'utf8').trim() : ''
  return `${name} ${version} (${license})\n\n${text}\n`
})
writeFileSync(join(OUT, 'THIRD_PARTY_LICENSES'), licences.join(`\n${'-'.repeat(80)}\n\n`))
