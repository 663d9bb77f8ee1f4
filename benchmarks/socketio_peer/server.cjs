// The peer: Socket.IO on Node with a room for each user. Keeps nothing. node server.cjs PORT
const { createServer } = require("http");
const { Server } = require("socket.io");

const PAD = "x".repeat(100000);
const OVERHEAD = 112; // bytes of an event's JSON around the text, about
const http = createServer();
const io = new Server(http, { transports: ["websocket"] });
const turn = () => new Promise((resolve) => setImmediate(resolve));
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

async function runAgent(room, { events, size, rate }) {
  const run = Math.random().toString(36).slice(2);
  const text = PAD.slice(0, Math.max(0, size - OVERHEAD));
  const began = performance.now();
  for (let number = 0; number < events; number++) {
    const wait = rate ? began + (number * 1000) / rate - performance.now() : 0;
    await (wait > 0 ? pause(wait) : turn());
    const ts = Number(process.hrtime.bigint());
    io.to(room).emit("event", { type: "event", run, seq: number, ts, text });
  }
  io.to(room).emit("event", { type: "done", run, seq: -1 });
}

io.on("connection", (socket) => {
  const room = socket.handshake.auth.user;
  socket.join(room);
  socket.on("start", (given) => runAgent(room, given));
});
http.listen(Number(process.argv[2]), "127.0.0.1");
