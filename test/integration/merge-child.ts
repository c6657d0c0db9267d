import { mergeKubeconfig } from '../../src/kubeconfig/merge.js'
import { retarget } from '../../src/kubeconfig/retarget.js'

/**
 * One airlift that merges as many others do: `merge-child.ts PATH NAME START_MS ROUNDS`. Waits for the common start, so that
 * all of them want the file at once, and merges ROUNDS clusters.
 */
const [path = '', name = '', start = '0', rounds = '1'] = process.argv.slice(2)
const data = Buffer.from(name.repeat(300)).toString('base64')
const config = `
apiVersion: v1
kind: Config
clusters: [{name: default, cluster: {server: "https://127.0.0.1:6443", certificate-authority-data: ${data}}}]
users: [{name: default, user: {client-certificate-data: ${data}, client-key-data: ${data}}}]
contexts: [{name: default, context: {cluster: default, user: default}}]
current-context: default
`
await new Promise((done) => setTimeout(done, Math.max(0, Number(start) - Date.now())))
for (let round = 0; round < Number(rounds); round++) {
  const incoming = await retarget(config, { name: `${name}-${round}`, server: 'https://10.0.0.1:6443' })
  await mergeKubeconfig(incoming, { path, env: {}, switchContext: true })
}
