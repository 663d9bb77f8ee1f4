// A WebSocket whose other end is the test: it sees every frame the client sends and decides every answer and close.
// The client against a real server is tests/e2e/console and tests/e2e; here the point is what no server does on purpose.

export class ScriptedSocket {
  static opened = [];

  static reset() {
    ScriptedSocket.opened = [];
  }

  /** The newest socket the client has made. */
  static get last() {
    return ScriptedSocket.opened.at(-1);
  }

  constructor(url, protocols) {
    this.url = url;
    this.protocols = protocols;
    this.readyState = 0;
    this.sent = [];
    ScriptedSocket.opened.push(this);
  }

  // the client's side
  send(text) {
    if (this.readyState !== 1) throw new Error("send() on a socket that is not open");
    this.sent.push(JSON.parse(text));
  }

  close(code) {
    this.readyState = 3;
    this.closedByClient = code ?? true;
  }

  // the server's side
  accept() {
    this.readyState = 1;
    this.onopen?.();
    return this;
  }

  /** One text frame: an object, or several as the batch subprotocol sends them. */
  deliver(...frames) {
    this.onmessage?.({ data: JSON.stringify(frames.length === 1 ? frames[0] : frames) });
    return this;
  }

  drop(code = 1006) {
    this.readyState = 3;
    this.onclose?.({ code, reason: "" });
  }

  actions(name) {
    return this.sent.filter((frame) => frame.action === name);
  }
}

export function event(seq, { thread = "T", run = "R", type = "agent_message", data = { message_id: "m", delta: `${seq} ` } } = {}) {
  return { event_type: type, thread_id: thread, run_id: run, seq, timestamp: "2026-01-31T12:00:00.000000Z", data };
}
