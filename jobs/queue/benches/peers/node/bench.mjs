// Measures one Node peer: `node bench.mjs <peer>.mjs enqueue|work|pick_up <url> <options as JSON>`.
// The bench that starts it reads what it prints, line by line.
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';

const [file, part, url, json] = process.argv.slice(2);
const options = JSON.parse(json);
const peer = await import(`./${file}`);
const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);

// Tells how long the bulk producer took for all.
async function enqueue({ jobs, batch }) {
  const producer = await peer.produce(url);
  const start = performance.now();
  for (let first = 0; first < jobs; first += batch) {
    const count = Math.min(batch, jobs - first);
    await producer.bulk(Array.from({ length: count }, (_, i) => ({ n: first + i })));
  }
  say({ seconds: (performance.now() - start) / 1000 });
  await producer.end();
}

// Says that it is ready, starts when told to, counts what has run, and ends with its input.
async function work(settings) {
  let ran = 0;
  const worker = await peer.prepare(url, settings, () => { ran += 1; });
  const input = createInterface({ input: process.stdin });
  const lines = input[Symbol.asyncIterator]();
  say('ready');
  await lines.next();
  await worker.start();
  let said = 0;
  const saying = setInterval(() => { if (ran > said) { say(ran - said); said = ran; } }, 5);
  await lines.next();
  clearInterval(saying);
  await worker.stop();
}

// Enqueues on the beat, whether or not the queue keeps up, and tells how long each waited from commit to start.
async function pickUp({ perSecond, seconds }) {
  const jobs = perSecond * seconds;
  const [committed, started] = [new Array(jobs), new Array(jobs)];
  let left = jobs;
  const worker = await peer.prepare(url, peer.pickUpSettings, (job) => {
    started[job.n] = performance.now();
    left -= 1;
  });
  await worker.start();
  const producer = await peer.produce(url);
  await sleep(500);
  const start = performance.now();
  for (let n = 0; n < jobs; n += 1) {
    const beat = start + (n * 1000) / perSecond;
    if (beat > performance.now()) await sleep(beat - performance.now());
    producer.single({ n }).then(() => { committed[n] = performance.now(); });
  }
  while (left > 0) await sleep(10);
  const waits = started.map((at, n) => Math.max(0, at - (committed[n] ?? at))).sort((a, b) => a - b);
  const at = (p) => waits[Math.floor((jobs * p) / 100)];
  say({ p50: at(50), p95: at(95), p99: at(99), most: waits[jobs - 1] });
  await producer.end();
  await worker.stop();
}

await { enqueue, work, pick_up: pickUp }[part](options);
process.exit(0);
