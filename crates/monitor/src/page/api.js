// Questions to the monitor, and what became of them.

import { learn } from "./clock.js";

/** @typedef {{ok: true, value: any}|{ok: false, status: number, code: string, message: string}} Answer */

/** Longer than the monitor takes for 30 days. */
const ANSWER_MAX_MS = 10_000;

/** @type {{user?: string, role?: string, csrf?: string}} */
let session = {};
let onLogout = () => {};

/** @param {() => void} called when an answer says that nobody is logged in */
export function whenLoggedOut(called) {
  onLogout = called;
}

/** Whether the monitor does not have that part: it is then asked again seldom. @param {Answer} answer */
export function isAbsent(answer) {
  return !answer.ok && answer.status === 404 && answer.code === "NotFound";
}

/** Who is logged in; nobody where the monitor has no log-in. */
export async function whoIs() {
  const answer = await ask("/api/v1/session");
  session = answer.ok ? answer.value : {};
  return session;
}

export function isOperator() {
  return session.role === "operator";
}

/**
 * @param {string} path
 * @param {Record<string, string|number|undefined>} [parameters] empty ones are left out
 * @returns {Promise<Answer>}
 */
export function ask(path, parameters = {}) {
  return send("GET", path + query(parameters), {});
}

/** Changes something. @param {string} path @returns {Promise<Answer>} */
export function change(path) {
  return send("POST", path, { "X-CSRF-Token": session.csrf ?? "" });
}

/** @param {Record<string, string|number|undefined>} parameters */
export function query(parameters) {
  const given = Object.entries(parameters).filter(([, value]) => value !== "" && value !== undefined);
  const text = new URLSearchParams(given.map(([key, value]) => [key, String(value)])).toString();
  return text ? `?${text}` : "";
}

/** @param {string} method @param {string} path @param {Record<string, string>} headers @returns {Promise<Answer>} */
async function send(method, path, headers) {
  try {
    const response = await fetch(path, {
      method, headers, signal: AbortSignal.timeout(ANSWER_MAX_MS), redirect: "manual",
    });
    learn(Date.parse(response.headers.get("date") ?? ""));
    if (response.status === 401) onLogout();
    return response.ok ? { ok: true, value: await body(response) } : await refusal(response);
  } catch {
    return { ok: false, status: 0, code: "NoAnswer", message: "The monitor does not answer." };
  }
}

/** @param {Response} response */
async function body(response) {
  const text = await response.text();
  return text === "" ? {} : JSON.parse(text);
}

/** @param {Response} response @returns {Promise<Answer>} */
async function refusal(response) {
  const { status } = response;
  const known = await response.json().then((value) => value.error, () => undefined);
  const told = status === 404 && known?.code === "NotFound" ? ["This monitor does not have this part."] : [known?.message, known?.hint];
  const message = told.filter((text) => typeof text === "string").join(" ");
  return {
    ok: false, status, code: String(known?.code ?? status),
    message: message || `The monitor answered ${status}.`,
  };
}
