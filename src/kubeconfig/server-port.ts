/** The port of the API server that a kubeconfig of k3s names, wherever it was moved; 6443 where it names none. */
export function serverPort(text: string): number {
  return Number(/server:\s*"?https:\/\/[^\s"]+:(\d+)/.exec(text)?.[1] ?? 6443)
}
