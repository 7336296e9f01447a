// usage: node start.mjs --port=PORT --headless
//
// The npm gateway as its package starts it, but for one thing: as installed it fails to stream, since it
// writes to the headers of an answer of fetch, which nobody may. Here they may be written to.
const fetched = globalThis.fetch;
globalThis.fetch = async (...asked) => {
  const answer = await fetched(...asked);
  return new Response(answer.body, { status: answer.status, statusText: answer.statusText,
    headers: new Headers(answer.headers) });
};
await import('@portkey-ai/gateway/build/start-server.js');
