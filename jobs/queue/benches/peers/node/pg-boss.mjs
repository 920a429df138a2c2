// pg-boss: several workers, large batches, and each worker told at once to fetch again, as `notifyWorker` is for.
import PgBoss from 'pg-boss';

const QUEUE = 'noop';

async function boss(url) {
  const boss = new PgBoss({ connectionString: url, max: 10 });
  boss.on('error', (error) => { throw error; });
  await boss.start();
  await boss.createQueue(QUEUE);
  return boss;
}

export async function produce(url) {
  const producer = await boss(url);
  return {
    bulk: (payloads) => producer.insert(payloads.map((data) => ({ name: QUEUE, data }))),
    end: () => producer.stop({ graceful: false }),
  };
}

export async function prepare(url, { workers, batchSize }, ran) {
  const worker = await boss(url);
  return {
    start: async () => {
      for (let n = 0; n < workers; n += 1) {
        const id = await worker.work(QUEUE, { batchSize, pollingIntervalSeconds: 0.5 }, async (jobs) => {
          for (const job of jobs) ran(job.data);
          worker.notifyWorker(id);
        });
      }
    },
    stop: () => worker.stop(),
  };
}
