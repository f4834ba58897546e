// Each action is a request to the API. After it, the parts of the page that are marked data-live are fetched as the
// server renders them, so that what a session looks like is known at one place.
"use strict";

// Each returns the sentence to show.
const actions = {
  async login({ user }) {
    await ask("POST", "/api/login", { user });
    return "Signed in: a new secret in your cookie, and both clocks start again.";
  },
  async rotate() {
    await ask("POST", "/api/rotate");
    return "Your cookie has a new secret, and the old one opens nothing. The handle stays.";
  },
  async logout() {
    await ask("POST", "/api/logout");
    return "The session has ended at the store, and the cookie is gone.";
  },
  async set({ key, value }, form) {
    await ask("PUT", valuePath(key), fromText(value));
    form.reset();
    return `“${key}” is set.`;
  },
  async count({ key }) {
    return `“${key}” is now ${await ask("POST", `${valuePath(key)}/increment`)}.`;
  },
  async remove({ key }) {
    await ask("DELETE", valuePath(key));
    return `“${key}” is removed.`;
  },
  async clear() {
    await ask("DELETE", "/api/values");
    return "All values are removed. The session stays.";
  },
  fifty,
  revive,
};

document.addEventListener("submit", (event) => {
  event.preventDefault();
  act(event.target, event.submitter, Object.fromEntries(new FormData(event.target)));
});

document.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-action]");
  if (button) act(button, button, button.dataset);
});

// One at a time, for the experiments count on it.
async function act(element, button, input) {
  if (document.body.dataset.busy) return;
  const output = element.closest("section").querySelector("output");
  document.body.dataset.busy = element.dataset.action;
  button.ariaBusy = "true";
  try {
    forget(output);
    const told = await actions[element.dataset.action](input, element);
    await refresh();
    tell(output, ...[told].flat());
  } catch (error) {
    tell(output, error.message);
    output.className = "error";
  }
  button.ariaBusy = "false";
  delete document.body.dataset.busy;
}

// ---- The experiments

async function fifty() {
  const cells = [...document.querySelectorAll("#cells i")];
  cells.forEach((cell) => cell.classList.remove("in"));
  const before = await count();
  const start = performance.now();
  const answers = await Promise.allSettled(cells.map(addOne));
  const took = Math.round(performance.now() - start);
  const refused = answers.find((answer) => answer.status === "rejected");
  if (refused) throw refused.reason;
  const after = await count();
  const different = new Set(answers.map((answer) => answer.value)).size;
  if (after - before !== cells.length) throw new Error(`Only ${after - before} of ${cells.length} arrived.`);
  return [`${cells.length} of ${cells.length} arrived`, `${before} → ${after} in ${took} ms, with ${different} different answers.`];
}

async function addOne(cell) {
  const number = await ask("POST", "/api/values/count/increment");
  cell.classList.add("in");
  return number;
}

async function count() {
  return (await begun()).values.count ?? 0;
}

async function revive() {
  const steps = [...document.querySelectorAll("#steps li")];
  steps.forEach((step) => mark(step, "", ""));
  const { handle } = await begun();
  const slow = ask("POST", "/api/slow?ms=1200&key=late");
  await take(steps[0], () => loaded(slow), () => `It is ${handle.slice(0, 8)}…`);
  await take(steps[1], () => ask("POST", "/api/logout").then(refresh), () => "Ended at the store.");
  const { outcome } = await take(steps[2], () => slow, (answer) => `Its outcome: ${answer.outcome}.`);
  const { state, cookie } = await take(steps[3], refresh, left);
  const isOut = outcome !== "committed" && state === "visitor" && cookie === "none";
  if (!isOut) throw new Error("The session came back.");
  return ["The session stays out", `Before: ${handle.slice(0, 8)}…, now: none. No cookie came back.`];
}

function left({ state, cookie }) {
  return `${state === "visitor" ? "No session" : "A session"}, ${cookie === "none" ? "no cookie" : "a cookie"}.`;
}

async function take(step, work, describe) {
  mark(step, "now", "");
  const result = await work();
  mark(step, "done", describe(result));
  return result;
}

function mark(step, state, text) {
  step.className = state;
  step.lastElementChild.textContent = text;
}

// Until the slow request has loaded the session, signing out would prove nothing.
async function loaded(slow) {
  let answered = false;
  const mark = () => { answered = true; };
  slow.then(mark, mark);
  while (!answered) {
    if ((await ask("GET", "/api/slow")).waiting > 0) return;
    await new Promise((next) => setTimeout(next, 20));
  }
  await slow;
  throw new Error("The slow request was over before you could sign out. Please try again.");
}

// Each experiment is about one session: were there none, fifty first writes would begin fifty.
async function begun() {
  const session = await ask("GET", "/api/session");
  if (session.handle !== null) return session;
  await ask("PUT", "/api/values/count", 0);
  return ask("GET", "/api/session");
}

// ---- Requests

async function ask(method, path, body) {
  const response = await reach(path, { method, body: JSON.stringify(body) });
  const answer = response.status === 204 ? null : await response.json();
  if (!response.ok) throw new Error(sentence(answer.error));
  return answer;
}

async function reach(path, options) {
  try {
    return await fetch(path, options);
  } catch {
    throw new Error("The demo does not answer. Is it still running?");
  }
}

// Returns what the session is now.
async function refresh() {
  const response = await reach("/");
  if (!response.ok) throw new Error(sentence((await response.json()).error));
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  const focused = document.activeElement;
  for (const part of document.querySelectorAll("[data-live]")) renew(part, page.getElementById(part.id), focused);
  setClock();
  return document.getElementById("session").dataset;
}

// What had the focus keeps it; if it is gone, the title of its card gets it.
function renew(part, next, focused) {
  const section = part.closest("section");
  const hadFocus = part.contains(focused);
  part.replaceWith(next);
  if (hadFocus) (document.getElementById(focused.id) ?? section.querySelector("h2")).focus();
}

const valuePath = (key) => `/api/values/${encodeURIComponent(key)}`;

// What is no JSON is a text.
function fromText(text) {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

// ---- What is shown

function tell(output, text, detail = "") {
  const main = detail ? Object.assign(document.createElement("strong"), { textContent: text }) : text;
  output.className = "";
  output.replaceChildren(...[main, detail].filter(Boolean));
}

// A sentence is about the last action only. The headline of an experiment stays until it is made again.
function forget(output) {
  for (const other of document.querySelectorAll("output")) {
    if (other === output || !other.querySelector("strong")) tell(other, "");
  }
}

function sentence(text) {
  return `${text[0].toUpperCase()}${text.slice(1)}.`;
}

// Deadlines are the server's, so its clock counts.
let ahead = 0;

function setClock() {
  ahead = Number(document.getElementById("session").dataset.now) - Date.now();
  tick();
}

function tick() {
  const now = Date.now() + ahead;
  for (const span of document.querySelectorAll("span[data-until]")) span.textContent = clock(span.dataset.until - now);
  for (const span of document.querySelectorAll("span[data-since]")) span.textContent = clock(now - span.dataset.since);
  for (const bar of document.querySelectorAll("progress")) bar.value = Math.max(0, bar.dataset.until - now);
}

function clock(millis) {
  const seconds = Math.max(0, Math.floor(millis / 1000));
  const two = (number) => String(number).padStart(2, "0");
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  return hours > 0 ? `${hours}:${two(minutes)}:${two(seconds % 60)}` : `${minutes}:${two(seconds % 60)}`;
}

setClock();
setInterval(tick, 1000);
