/** Defines `vote`, for scripts that have `api`: whether the Node on stdin, as JSON, has a member of etcd with a vote. */
export const VOTE = `vote() {
  member=$(tr -d ' \\n\\t' | sed -n 's/.*"etcd\\.k3s\\.cattle\\.io\\/node-name":"\\([^"]*\\)".*/\\1/p')
  [ -n "$member" ] || return 1
  it=$(api /db/info | tr -d ' \\n\\t' | sed 's/},{/}\\n{/g' | grep "\\"name\\":\\"$member\\"")
  case $it in '' | *'"isLearner":true'*) return 1 ;; esac
}`
