/** Why the file system refused, without its code and path: `no such file or directory`. */
export function fileReason(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error)
  return /^E[A-Z0-9]+: ([^,]+), /.exec(message)?.[1] ?? message
}
