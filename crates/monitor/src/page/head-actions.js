// What an operator may do to a head, each asked about first. Each answers with what went
// wrong, or null.

import { announce } from "./dom.js";
import { change } from "./api.js";
import { confirm } from "./confirm.js";
import { plural } from "./format.js";
import { soon } from "./schedule.js";

/** As the balancer takes it; 0 gives it nothing new. */
const WEIGHT = { min: 0, max: 256 };

/** @param {any} head @param {string} path @param {string} done */
async function go(head, path, done) {
  const answer = await change(`/api/v1/heads/${path}`);
  const text = answer.ok ? done : `${head.name}: ${answer.message}`;
  announce(text);
  soon("heads", "changes");
  return answer.ok ? null : text;
}

/** @param {any} head */
export async function drain(head) {
  const yes = await confirm({
    title: `Drain ${head.name}?`, verb: "Drain",
    text: `It takes no new connection. The ${plural(head.connections, "connection")} that it has may go on.`,
  });
  return yes && go(head, `${encodeURIComponent(head.name)}/drain`, `${head.name} drains.`);
}

/** @param {any} head */
export async function ready(head) {
  const yes = await confirm({
    title: `Make ${head.name} ready?`, verb: "Make ready", text: "It takes new connections again.",
  });
  return yes && go(head, `${encodeURIComponent(head.name)}/ready`, `${head.name} is ready.`);
}

/** @param {any} head */
export async function weight(head) {
  const given = await confirm({
    title: `Weight of ${head.name}`, verb: "Set",
    text: "Its share of new connections, against the weights of the others.",
    number: { label: `Weight, ${WEIGHT.min} to ${WEIGHT.max}`, value: head.weight, ...WEIGHT },
  });
  return given && go(head, `${encodeURIComponent(head.name)}/weight/${given.number}`, `${head.name} has weight ${given.number}.`);
}

/** @param {any} head */
export async function only(head) {
  const yes = await confirm({
    title: `Only ${head.name}?`, verb: "Only this head", text: "Every new connection goes to it, none to the others.",
  });
  return yes && go(head, `${encodeURIComponent(head.name)}/only`, `Every new connection goes to ${head.name}.`);
}

/** @param {any} head */
export async function onlyOff(head) {
  const yes = await confirm({
    title: "Use all heads again?", verb: "Use all", text: `New connections go to all ready heads, not to ${head.name} alone.`,
  });
  return yes && go(head, "only/off", "New connections go to all ready heads.");
}
