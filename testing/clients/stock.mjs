// One stock client of Node, its defaults untouched, a request for each line; see stock.py.
// usage: NODE_EXTRA_CA_CERTS=CA node stock.mjs global|keepalive|fetch
import { createHash } from "node:crypto";
import https from "node:https";
import { createInterface } from "node:readline";

const byAgent = (agent) => (url) =>
  new Promise((resolve, reject) => {
    const request = https.get(url, { agent }, (reply) => {
      const parts = [];
      reply.on("data", (part) => parts.push(part));
      reply.on("error", reject);
      reply.on("end", () =>
        resolve([reply.statusCode, Buffer.concat(parts), reply.headers["x-repono-connection"]]),
      );
    });
    request.on("error", reject);
  });

const byFetch = async (url) => {
  const reply = await fetch(url);
  const content = Buffer.from(await reply.arrayBuffer());
  return [reply.status, content, reply.headers.get("x-repono-connection")];
};

const clients = {
  global: () => byAgent(https.globalAgent),
  keepalive: () => byAgent(new https.Agent({ keepAlive: true })),
  fetch: () => byFetch,
};
const get = clients[process.argv[2]]();
for await (const line of createInterface({ input: process.stdin })) {
  const begun = performance.now();
  let [status, content, connection, error] = [0, Buffer.alloc(0), "-", "-"];
  try {
    [status, content, connection] = await get(line.trim());
  } catch (failure) {
    error = `${failure} ${failure.code ?? failure.cause ?? ""}`.replace(/\s+/g, " ");
  }
  const took = Math.round(performance.now() - begun);
  const digest = createHash("sha256").update(content).digest("hex");
  console.log([took, status, content.length, digest, connection ?? "-", error].join("\t"));
}
process.exit(0);
