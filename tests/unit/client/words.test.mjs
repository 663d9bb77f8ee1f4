import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { NetraError } from "../../../netra/static/netra/netra-client.js";
import { announcement, approvalOutcome, connectionText, errorText, loggedOutText, stoppedBy } from "../../../netra/static/netra/console/words.js";

const status = (change) => ({ state: "waiting", retryAt: 5_000, code: null, closeCode: null, ...change });

describe("the connection", () => {
  test("is not mentioned while it holds", () => assert.equal(connectionText(status({ state: "open" }), 0, true), ""));

  for (const [change, wasOpen, text] of [
    [{ state: "connecting", retryAt: null }, false, "Connecting…"],
    [{ state: "connecting", retryAt: null }, true, "Connection lost. Your runs continue, and no events are lost. Reconnecting…"],
    [{}, true, "Connection lost. Your runs continue, and no events are lost. Reconnecting in 5.0 s."],
    [{ code: "draining" }, true, "The server is restarting. Your runs and events are safe. Reconnecting in 5.0 s."],
    [{ closeCode: 4409 }, true, "You have too many windows open. Close some. Reconnecting in 5.0 s."],
    [{ closeCode: 4429 }, true, "The server asked this page to slow down. Reconnecting in 5.0 s."],
    [{ state: "stopped" }, true, "This page and the server no longer understand each other. Reload the page."],
  ]) {
    test(text, () => assert.equal(connectionText(status(change), 0, wasOpen), text));
  }
});

describe("answers", () => {
  test("a known error says what to do, and when", () => {
    const error = new NetraError("rate_limited", "x", { retry_after_ms: 2_000 });
    assert.equal(errorText(error), "You are sending too fast. Wait a moment, then send it again. (2.0 s)");
  });

  test("an unknown one is told in the server's words", () => {
    assert.equal(errorText(new NetraError("new_in_2030", "The moon is full.")), "The moon is full.");
  });

  test("why one is logged out", () => {
    assert.equal(loggedOutText("session_revoked"), "You were logged out, here or in another tab.");
    assert.equal(loggedOutText("anything"), "You are no longer logged in.");
  });

  test("who stopped a run", () => {
    assert.deepEqual(["stopped", "replaced", "lunch"].map(stoppedBy), [
      "Stopped by you", "Stopped: a newer message replaced it", "Stopped: lunch",
    ]);
  });

  test("who decided, as far as this page knows", () => {
    const by = (change) => ({ approved: true, by: "user", ...change });
    assert.equal(approvalOutcome(by({}), "here"), "Approved by you");
    assert.equal(approvalOutcome(by({ approved: false }), "elsewhere"), "Denied in another tab");
    assert.equal(approvalOutcome(by({}), null), "Approved");
    assert.equal(approvalOutcome(by({ by: "expired" }), null), "Expired without an answer");
  });
});

describe("what is read out", () => {
  const said = (type, data = {}, elsewhere = false) => announcement({ event_type: type, data }, elsewhere);

  test("begun, waiting, over; no token in between", () => {
    assert.equal(said("agent_started"), "Run started");
    assert.equal(said("approval_requested", { message: "Pay?" }, true), "Waiting for your approval: Pay?");
    assert.equal(said("agent_completed", { duration_ms: 1_500 }), "Run finished in 1.5 s");
    assert.equal(said("agent_failed", { code: "timeout" }), "Run failed: Took too long");
    assert.equal(said("agent_failed", { code: "of_tomorrow" }), "Run failed: Failed");
    for (const type of ["agent_thinking", "agent_message", "tool_executing", "tool_completed", "agent_dreaming"]) {
      assert.equal(said(type), null);
    }
  });

  test("of other threads only that somebody is waited for", () => {
    for (const type of ["agent_started", "agent_completed", "agent_failed", "agent_cancelled", "run_queued"]) {
      assert.equal(said(type, {}, true), null);
    }
  });
});
