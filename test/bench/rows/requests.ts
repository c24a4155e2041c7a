/** Whole requests through this project's `serve` beside LiteLLM's proxy, in front of a provider that answers at once. */
import { installPythonPackage } from '../../support/pythonPackage.ts';
import { median, ratios, spread } from '../figures.ts';
import { LITELLM_VERSION, litellmPackage, PYTHON_3 } from '../peer.ts';
import { type Load, load, warmUp } from '../requests/load.ts';
import { type Endpoint, startLitellm, startOurs, startProvider } from '../requests/proxies.ts';
import { type RowSpec, section } from '../rows.ts';

const forms = [
  { id: 'plain', stream: false, connections: 1 },
  { id: 'stream', stream: true, connections: 1 },
  { id: 'plain20', stream: false, connections: 20 },
  { id: 'stream20', stream: true, connections: 20 },
] as const;

type Id = (typeof forms)[number]['id'];

const peer = `LiteLLM proxy ${LITELLM_VERSION}`;

export const requests = section<`${Id}Added` | `${Id}Rate` | `${Id}P99`>({
  name: 'requests',
  title: 'Whole request beside the LiteLLM proxy, provider without delay',
  limitS: 170,
  rows: {
    plainAdded: added('plain, 1 connection'),
    streamAdded: added('streaming, 1 connection'),
    plain20Added: added('plain, 20 connections'),
    stream20Added: added('streaming, 20 connections'),
    plainRate: rate('plain, 1 connection'),
    streamRate: rate('streaming, 1 connection'),
    plain20Rate: rate('plain, 20 connections'),
    stream20Rate: rate('streaming, 20 connections'),
    plainP99: p99('plain, 1 connection'),
    streamP99: p99('streaming, 1 connection'),
    plain20P99: p99('plain, 20 connections'),
    stream20P99: p99('streaming, 20 connections'),
  },
  async prepare() {
    await installPythonPackage(litellmPackage, PYTHON_3);
  },
  async run({ quick, say }, tell) {
    const provider = await startProvider();
    const [ours, litellm] = await Promise.all([startOurs(provider), startLitellm(provider)]);
    const rounds = quick ? 1 : 3;
    const seconds = 2;
    // A program that compiles itself while it runs needs more of them than one that is interpreted.
    await warmUp(ours, quick ? 50 : 500);
    await warmUp(litellm, quick ? 20 : 100);
    for (const { id, stream, connections } of forms) {
      const found = new Map<Endpoint, Load[]>([
        [provider, []],
        [ours, []],
        [litellm, []],
      ]);
      for (let round = 0; round < rounds; round++) {
        for (const [proxy, loads] of found)
          loads.push(await load(proxy, { connections, seconds, stream }));
      }
      const of = (proxy: Endpoint, key: keyof Load) =>
        (found.get(proxy) ?? []).map((one) => one[key]);
      const direct = median(of(provider, 'medianMs'));
      const [mine, theirs] = [of(ours, 'medianMs'), of(litellm, 'medianMs')].map((times) =>
        times.map((ms) => ms - direct),
      );
      const [myRate, theirRate] = [of(ours, 'requestsPerSecond'), of(litellm, 'requestsPerSecond')];
      const latency = ratios(mine ?? [], theirs ?? []);
      const speed = ratios(myRate, theirRate);
      tell(`${id}Added`, {
        value: median(latency),
        against: `${peer}: ${spread(theirs ?? [], 1)} ms added`,
        note: `${spread(mine ?? [], 2)} ms added to ${direct.toFixed(2)} direct; ratio ${spread(latency)}, ${rounds} rounds in turns`,
      });
      tell(`${id}Rate`, {
        value: median(speed),
        against: `${peer}: ${spread(theirRate, 0)} requests/s`,
        note: `${spread(myRate, 0)} requests/s; ratio ${spread(speed)}`,
      });
      const [mySlowest, theirSlowest] = [of(ours, 'p99Ms'), of(litellm, 'p99Ms')];
      const slowest = ratios(mySlowest, theirSlowest);
      tell(`${id}P99`, {
        value: median(slowest),
        against: `${peer}: ${spread(theirSlowest, 1)} ms`,
        note: `${spread(mySlowest, 1)} ms; ratio ${spread(slowest)}`,
      });
      say(
        `${id}: ${spread(mine ?? [])} ms and ${spread(myRate, 0)}/s beside ${spread(theirs ?? [])} ms and ${spread(theirRate, 0)}/s`,
      );
    }
  },
});

function added(form: string): RowSpec {
  return { name: `request, ${form}: added latency`, unit: 'times', goal: { most: 0.2 } };
}

/** Of whole requests, the provider's own time included. */
function p99(form: string): RowSpec {
  return { name: `request, ${form}: 99th percentile`, unit: 'times', goal: { most: 1 } };
}

function rate(form: string): RowSpec {
  return { name: `request, ${form}: requests per second`, unit: 'times', goal: { least: 5 } };
}
