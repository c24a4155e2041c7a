/** A conversation over REST stays with the cloud model that began it, and the reply says so and what a switch would cost. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { createApi } from '../../server/src/http/api.ts';
import { CLOUD_TEXT, openRealApp, type RealApp } from '../support/realApp.ts';

let real: RealApp;
before(async () => {
  real = await openRealApp();
});
after(() => real.close());

// biome-ignore lint/suspicious/noExplicitAny: a reply is read as it comes
async function generate(body: object): Promise<any> {
  const { app } = real;
  const api = createApi({
    router: app.router,
    ports: app.ports,
    settings: () => app.settings(),
    token: undefined,
    version: '1.2.3',
    onDefect: (error) => assert.fail(String(error)),
  });
  const reply = await api.fetch(
    new Request('http://127.0.0.1:5000/generate', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    }),
  );
  assert.equal(reply.status, 200, await reply.clone().text());
  return await reply.json();
}

test('the next question stays in the cloud where a switch would lose more than it saves', async () => {
  const first = `Here are my notes. ${'The queue holds one job for each worker. '.repeat(140)}`;
  const opening = await generate({ prompt: first, force_model: 'openai' });
  assert.equal(opening.text, CLOUD_TEXT);
  const ask = {
    prompt:
      'Now please tell me in one or two plain sentences what my notes say about how many jobs the queue holds.',
    history: [
      { role: 'user', text: first },
      { role: 'assistant', text: opening.text },
    ],
  };
  // The largest share that still leaves this question to the local model, were it not for the conversation.
  const alone = async (escalateShare: number) => {
    assert.deepEqual(real.app.configure({ escalateShare }), []);
    const history = [
      { role: 'user', text: first },
      { role: 'assistant', text: 'From elsewhere.' },
    ];
    return await generate({ ...ask, history, dry_run: true });
  };
  let share = 0.95;
  while (share > 0 && (await alone(share)).trace.score > (await alone(share)).trace.threshold) {
    share -= 0.05;
  }
  assert.ok(share > 0.04, 'expected a share at which the question is easy');
  assert.match((await alone(share)).route_reason, /^prompt_complexity_low/);

  const sent = real.provider.getRequests().length;
  const reply = await generate(ask);
  assert.deepEqual([reply.chosen_model, reply.served], [opening.chosen_model, 'cloud']);
  const reason = /^conversation_kept\(model=gpt-6-sol, .*switch_usd=([\d.]+)\)$/.exec(
    reply.route_reason,
  );
  assert.ok(Number(reason?.[1]) > 0, reply.route_reason);
  assert.ok(reply.trace.score < (await alone(share)).trace.threshold);
  assert.ok(reply.trace.score > reply.trace.threshold);
  const [received, ...more] = real.provider.getRequests().slice(sent);
  assert.equal(more.length, 0);
  assert.ok(JSON.stringify(received?.body).includes(CLOUD_TEXT), 'the conversation goes along');
});
