// The way between a client and the real server: it can swallow new connections, fall silent, or break.

import net from "node:net";

export class Path {
  mode = "pass"; // or "swallow": a new connection is taken and never answered
  silent = false; // nothing gets through any more, and nobody is told
  connections = 0;
  #pairs = new Set();

  static async to(url) {
    const path = new Path();
    const { hostname, port } = new URL(url);
    path.server = net.createServer((near) => {
      path.connections += 1;
      near.on("error", () => {});
      if (path.mode === "swallow") return void path.#pairs.add([near]);
      const far = net.connect(Number(port), hostname);
      far.on("error", () => near.destroy());
      const pair = [near, far];
      path.#pairs.add(pair);
      for (const [from, to] of [pair, [far, near]]) {
        from.on("data", (data) => path.silent || to.write(data));
        from.on("close", () => path.silent || to.destroy());
      }
    });
    await new Promise((resolve) => path.server.listen(0, "127.0.0.1", resolve));
    path.url = `ws://127.0.0.1:${path.server.address().port}/ws`;
    return path;
  }

  cut() {
    for (const pair of this.#pairs) for (const socket of pair) socket.destroy();
    this.#pairs.clear();
  }

  close() {
    this.cut();
    this.server.close();
  }
}
