import { runtimeSuite } from '../contract/runtime-suite.js'

// The same scenarios for k3s on hosts and k3s in containers, on simulated machines; test/contract/runtimes.test.ts has those
// of the command line, on machines of the lab.
runtimeSuite('k3s')
runtimeSuite('k3d')
