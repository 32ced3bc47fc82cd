// The desk's console. Everything shown goes in as text, never as markup; the token stays in this page's memory.
"use strict";

const RELOAD_MS = 150; // Notices within this time are one reload.

const at = (id) => document.getElementById(id);
const state = { token: "", agent: "", focus: false, open: null, seen: "", closed: false, timer: null };

function made(tag, className, text) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  return element;
}

// `crypto.randomUUID` is there on https and localhost alone; a desk on a shop's own network may have neither.
function freshKey() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

async function call(method, path, body) {
  const headers = { Authorization: `Bearer ${state.token}` };
  if (method !== "GET") headers["Idempotency-Key"] = freshKey();
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const sent = body === undefined ? undefined : JSON.stringify(body);
  const response = await fetch(path, { method, headers, body: sent });
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) {
    const refused = new Error(answer.error ? answer.error.message : `status ${response.status}`);
    refused.code = answer.error && answer.error.code;
    throw refused;
  }
  return answer;
}

async function attempt(wish) {
  at("notice").textContent = "";
  try {
    const answer = await wish();
    if (answer && answer.state === "pending") at("notice").textContent = "Recorded; not confirmed yet.";
    return true;
  } catch (error) {
    at("notice").textContent = error.message;
    return false;
  } finally {
    reloadSoon();
  }
}

const agentPath = (tail) => `/v1/agents/${encodeURIComponent(state.agent)}${tail}`;
const openPath = (tail) => `/v1/conversations/${encodeURIComponent(state.open)}${tail}`;
const asAgent = (body) => ({ ...body, agent_id: state.agent });

async function showAgent() {
  at("who").textContent = state.agent;
  try {
    const agent = await call("GET", agentPath(""));
    const words = [agent.logged_in ? "logged in" : "logged out"];
    words.push(agent.available ? "available" : "unavailable");
    if (agent.away) words.push("away");
    if (agent.focus) words.push("in Focus");
    state.focus = Boolean(agent.focus);
    if (agent.paused_until_next) words.push("paused until Next");
    at("standing").textContent = `${words.join(", ")}; ${agent.held.length} held`;
  } catch {
    at("standing").textContent = "not seen yet";
  }
}

async function showOffers() {
  const { offers } = await call("GET", `/v1/offers?agent_id=${encodeURIComponent(state.agent)}`);
  at("offers").replaceChildren(...offers.map((offer) => {
    const banner = made("div", "offer");
    const act = (label, verb) => {
      const button = made("button", "", label);
      button.onclick = async () => {
        const path = `/v1/offers/${encodeURIComponent(offer.offer_id)}/${verb}`;
        const taken = await attempt(() => call("POST", path, asAgent({})));
        if (taken && verb === "accept") openConversation(offer.conversation_id);
      };
      return button;
    };
    banner.append(made("strong", "", offer.customer_name), made("span", "", offer.preview));
    banner.append(act("Accept", "accept"), act("Decline", "decline"));
    return banner;
  }));
}

async function showConversations() {
  const status = at("status").value;
  const { conversations } = await call("GET", `/v1/conversations?limit=100${status ? `&status=${status}` : ""}`);
  at("conversations").replaceChildren(...conversations.map((conversation) => {
    const line = made("li");
    const button = made("button", "", conversation.display_name);
    button.append(made("small", "", `${conversation.agent_id || "nobody"}: ${conversation.preview}`));
    button.setAttribute("aria-current", String(conversation.conversation_id === state.open));
    button.onclick = () => openConversation(conversation.conversation_id);
    line.append(button);
    return line;
  }));
}

function link(url, label) {
  if (!/^https?:\/\//.test(url)) return made("span", "", label);
  const anchor = made("a", "", label);
  anchor.href = url;
  anchor.target = "_blank";
  anchor.rel = "noopener noreferrer";
  return anchor;
}

function line(entry) {
  const when = new Date(entry.occurred_at).toLocaleString();
  if (entry.entry === "event") return made("li", "event", `${entry.text} · ${when}`);
  const shown = made("li", entry.direction);
  const gone = entry.deleted || (entry.story && entry.story.state === "gone" && entry.text === entry.story.text);
  const bubble = made("div", gone ? "bubble gone" : "bubble", entry.text || (entry.attachments.length ? "" : entry.kind));
  for (const attachment of entry.attachments) {
    bubble.append(" ", attachment.url ? link(attachment.url, attachment.type) : made("span", "", attachment.type));
  }
  shown.append(bubble);
  const notes = [when];
  if (entry.story) notes.push(entry.story.text || "Story");
  if (entry.edited) notes.push("edited");
  if (entry.native_app) notes.push("from the Instagram app");
  if (entry.reaction) notes.push(entry.reaction.shown);
  if (entry.liked) notes.push("liked");
  if (entry.state && entry.state !== "sent") notes.push(entry.state);
  if (entry.read) notes.push("seen");
  shown.append(made("small", "", notes.join(" · ")));
  if (entry.direction === "inbound" && entry.mid && !gone) {
    const like = made("button", "", entry.liked ? "Unlike" : "Like");
    const mid = encodeURIComponent(entry.mid);
    const agent = encodeURIComponent(state.agent);
    like.onclick = () => attempt(() => entry.liked
      ? call("DELETE", openPath(`/likes/${mid}?agent_id=${agent}`))
      : call("POST", openPath("/likes"), asAgent({ mid: entry.mid })));
    shown.append(like);
  }
  return shown;
}

// What Instagram says of the customer, each account of ours by its id.
function aboutCustomer(customer) {
  const words = [];
  if (customer.verified) words.push("verified \u2713");
  if (customer.follower_count !== undefined) words.push(`${customer.follower_count.toLocaleString()} followers`);
  if (customer.follows_accounts.length) words.push(`follows ${customer.follows_accounts.join(", ")}`);
  if (customer.followed_by_accounts.length) words.push(`followed by ${customer.followed_by_accounts.join(", ")}`);
  return words.join(" \u00b7 ");
}

// A customer who waits for an answer is left only on purpose.
async function closeConversation() {
  try {
    return await call("POST", openPath("/close"), asAgent({}));
  } catch (error) {
    if (error.code !== "CUSTOMER_WAITING") throw error;
    if (!window.confirm("The customer waits for an answer. Close all the same?")) return null;
    return call("POST", openPath("/close"), asAgent({ force: true }));
  }
}

async function showTimeline() {
  if (!state.open) return;
  const opened = state.open;
  const detail = await call("GET", openPath(""));
  if (opened !== state.open) return;
  const conversation = detail.conversation;
  state.closed = conversation.status === "closed";
  at("name").textContent = conversation.display_name;
  at("customer").textContent = aboutCustomer(detail.customer);
  const due = conversation.due_at ? `, answer due ${new Date(conversation.due_at).toLocaleString()}` : "";
  at("facts").textContent = `${conversation.status}, ${conversation.agent_id || "nobody's"}${due}`;
  const timeline = at("timeline");
  const atEnd = timeline.scrollHeight - timeline.scrollTop - timeline.clientHeight < 40;
  timeline.replaceChildren(...detail.items.map(line));
  if (atEnd) timeline.scrollTop = timeline.scrollHeight;
  at("composer").hidden = false;
  at("close").hidden = state.closed;
  at("reopen").hidden = !state.closed;
  count();
  tellSeen(conversation, detail.items);
}

// Next leads back to own conversations only for what this page has not shown yet.
function tellSeen(conversation, items) {
  const newest = items.findLast((item) => item.direction === "inbound");
  if (!newest || conversation.agent_id !== state.agent) return;
  const seen = `${conversation.conversation_id} ${newest.number}`;
  if (seen === state.seen) return;
  state.seen = seen;
  call("POST", openPath("/seen"), asAgent({})).catch(() => { state.seen = ""; });
}

async function next() {
  const answer = await call("POST", agentPath("/next"), {});
  if (answer.conversation_id) openConversation(answer.conversation_id);
  return answer;
}

function openConversation(id) {
  if (id !== state.open) at("text").value = "";
  state.open = id;
  at("timeline").replaceChildren();
  reload();
}

function count() {
  const counter = at("counter");
  const { text, className, sendable } = counted(at("text").value);
  counter.textContent = text;
  counter.className = className;
  at("send").disabled = state.closed || !sendable;
}

async function reload() {
  const shown = await Promise.allSettled([showAgent(), showOffers(), showConversations(), showTimeline()]);
  const failed = shown.find((one) => one.status === "rejected");
  if (failed) at("notice").textContent = failed.reason.message;
}

function reloadSoon() {
  clearTimeout(state.timer);
  state.timer = setTimeout(reload, RELOAD_MS);
}

// EventSource cannot carry a token, and a token has no place in an address: the stream is read by fetch.
async function listen() {
  for (;;) {
    try {
      const headers = { Authorization: `Bearer ${state.token}` };
      const response = await fetch("/v1/events", { headers });
      if (!response.ok) throw new Error(`status ${response.status}`);
      at("live").textContent = "live";
      reloadSoon();
      const reader = response.body.getReader();
      for (;;) {
        const { done, value } = await reader.read();
        if (done) break;
        const isKeepAlive = new TextDecoder().decode(value).startsWith(":");
        if (!isKeepAlive) reloadSoon();
      }
    } catch {
      // Told below; tried again.
    }
    at("live").textContent = "reconnecting";
    await new Promise((again) => setTimeout(again, 2000));
  }
}

at("door").onsubmit = async (event) => {
  event.preventDefault();
  state.token = at("token").value.trim();
  state.agent = at("agent").value.trim();
  try {
    await call("GET", `/v1/offers?agent_id=${encodeURIComponent(state.agent)}`);
  } catch (error) {
    at("door-error").textContent = error.message;
    return;
  }
  at("door").hidden = true;
  at("desk").hidden = false;
  listen();
};

at("composer").onsubmit = async (event) => {
  event.preventDefault();
  const text = at("text").value;
  const sent = await attempt(() => call("POST", openPath("/replies"), asAgent({ text })));
  if (sent) at("text").value = "";
  count();
};

at("close").onclick = () => attempt(closeConversation);
at("reopen").onclick = () => attempt(() => call("POST", openPath("/reopen"), asAgent({})));
at("text").oninput = count;
at("status").onchange = reload;

const wishes = {
  "log-in": () => call("POST", agentPath("/log-in"), {}),
  "log-out": () => call("POST", agentPath("/log-out"), {}),
  "available": () => call("POST", agentPath("/availability"), { available: true }),
  "unavailable": () => call("POST", agentPath("/availability"), { available: false }),
  "focus": () => call("POST", agentPath("/focus"), { focus: !state.focus }),
  "next": next,
};
for (const button of document.querySelectorAll("[data-agent]")) {
  button.onclick = () => attempt(wishes[button.dataset.agent]);
}
