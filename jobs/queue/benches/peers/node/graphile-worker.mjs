// graphile-worker: its documented preset for speed, with a local queue and batched completion.
import { Logger, WorkerPreset, makeWorkerUtils, run } from 'graphile-worker';

const logger = new Logger(() => () => {});

// Without the local queue, which trades latency for throughput.
export const pickUpSettings = { concurrentJobs: 10 };

export async function produce(url) {
  const utils = await makeWorkerUtils({ connectionString: url, logger });
  await utils.migrate();
  return {
    bulk: (payloads) => utils.addJobs(payloads.map((payload) => ({ identifier: 'noop', payload }))),
    single: (payload) => utils.addJob('noop', payload),
    end: () => utils.release(),
  };
}

export async function prepare(url, settings, ran) {
  const worker = { connectionString: url, maxPoolSize: settings.concurrentJobs + 2, logger, ...settings };
  let runner;
  return {
    start: async () => {
      runner = await run({
        preset: { extends: [WorkerPreset], worker },
        noHandleSignals: true,
        taskList: { noop: (payload) => ran(payload) },
      });
    },
    stop: () => runner.stop(),
  };
}
