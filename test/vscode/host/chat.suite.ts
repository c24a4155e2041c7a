/**
 * VS Code's own chat API as other extensions and agents use it: our models, asked by the editor's real `vscode.lm` over a
 * server that we did not write, and our tools.
 */
import * as assert from 'node:assert/strict';
import * as vscode from 'vscode';

const ID = 'cost-aware-router.cost-aware-router';
const VENDOR = 'cost-aware-router';
const READ_FILE: vscode.LanguageModelChatTool = {
  name: 'read_file',
  description: 'Reads a file.',
  inputSchema: { type: 'object', properties: { path: { type: 'string' } } },
};

async function modelCalled(id: string): Promise<vscode.LanguageModelChat> {
  const deadline = Date.now() + 120_000;
  for (;;) {
    const models = await vscode.lm.selectChatModels({ vendor: VENDOR });
    const found = models.find((model) => model.id === id);
    if (found !== undefined) return found;
    if (Date.now() > deadline) {
      throw new Error(`expected ${id}, got ${models.map((model) => model.id).join()}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

async function textOf(response: vscode.LanguageModelChatResponse): Promise<string> {
  let text = '';
  for await (const piece of response.text) text += piece;
  return text;
}

/** Its sentence, whatever class it comes as. */
async function failureOf(
  model: vscode.LanguageModelChat,
  messages: vscode.LanguageModelChatMessage[],
): Promise<string> {
  try {
    return `answered: ${await textOf(await model.sendRequest(messages))}`;
  } catch (error) {
    const { message } = error as { readonly message?: unknown };
    return typeof message === 'string' ? message : JSON.stringify(error);
  }
}

const { User, Assistant } = vscode.LanguageModelChatMessage;

describe('VS Code’s own chat', () => {
  before(async function () {
    // A fork may lack the API; the extension works without.
    if (typeof vscode.lm?.registerLanguageModelChatProvider !== 'function') this.skip();
    await vscode.extensions.getExtension(ID)?.activate();
  });

  it('lists the router and every enabled model', async () => {
    const auto = await modelCalled('router-auto');
    assert.equal(auto.name, 'Router: Auto');
    assert.ok(auto.maxInputTokens > 1000);
    assert.equal((await modelCalled('scripted')).name, 'Router: Scripted');
  });

  it('answers through the router, and the ledger has it', async () => {
    const model = await modelCalled('scripted');
    const response = await model.sendRequest([User('Who says so?')]);
    assert.equal(await textOf(response), 'The server of one’s own says so.');
    const budget = await vscode.lm.invokeTool(`${VENDOR}_get_budget`, {
      input: {},
      toolInvocationToken: undefined,
    });
    const [part] = budget.content;
    assert.ok(part instanceof vscode.LanguageModelTextPart);
    const { spent_usd: spent, limit_usd: limit } = JSON.parse(part.value);
    assert.equal(limit, 20);
    assert.ok(spent > 0, `expected the answer to have cost something, got ${part.value}`);
  });

  it('hands a model’s call of a tool to the caller, and its result to the model', async () => {
    const model = await modelCalled('scripted');
    const asked = [User('How long is retry.ts?')];
    const response = await model.sendRequest(asked, { tools: [READ_FILE] });
    const calls: vscode.LanguageModelToolCallPart[] = [];
    for await (const part of response.stream) {
      if (part instanceof vscode.LanguageModelToolCallPart) calls.push(part);
    }
    const [call] = calls;
    assert.ok(call);
    assert.equal(call.name, 'read_file');
    assert.deepEqual(call.input, { path: 'retry.ts' });
    const result = new vscode.LanguageModelToolResultPart(call.callId, [
      new vscode.LanguageModelTextPart('24 lines'),
    ]);
    const answer = await model.sendRequest([...asked, Assistant([call]), User([result])], {
      tools: [READ_FILE],
    });
    assert.equal(await textOf(answer), 'It has 24 lines.');
  });

  it('counts tokens', async () => {
    const model = await modelCalled('scripted');
    assert.equal(await model.countTokens(''), 0);
    assert.ok((await model.countTokens('function retry() { return 1; }')) > 5);
    assert.ok((await model.countTokens(User('Who says so?'))) > 2);
  });

  it('stops when it is cancelled', async () => {
    const model = await modelCalled('scripted');
    const source = new vscode.CancellationTokenSource();
    const response = await model.sendRequest([User('Count slowly')], {}, source.token);
    let pieces = 0;
    await assert.rejects(async () => {
      for await (const _piece of response.text) {
        pieces += 1;
        source.cancel();
      }
      // Where the editor ends the stream without an error, it must have ended early.
      if (pieces < 100) throw new vscode.CancellationError();
    });
    assert.ok(pieces > 0 && pieces < 100, `expected a few pieces, got ${pieces}`);
  });

  it('says what is wrong in words', async () => {
    const model = await modelCalled('scripted');
    const file = new vscode.LanguageModelDataPart(new Uint8Array([1, 2, 3]), 'application/pdf');
    const text = new vscode.LanguageModelTextPart('What is this?');
    assert.match(await failureOf(model, [User([text, file])]), /application\/pdf/);
    const cloud = await modelCalled('gpt-6-sol');
    assert.match(await failureOf(cloud, [User('Why?')]), /API key/);
  });

  it('estimates what a prompt would cost', async () => {
    const result = await vscode.lm.invokeTool(`${VENDOR}_estimate_cost`, {
      input: { prompt: 'Plan the migration of a database.' },
      toolInvocationToken: undefined,
    });
    const [part] = result.content;
    assert.ok(part instanceof vscode.LanguageModelTextPart);
    const estimate = JSON.parse(part.value);
    assert.ok(estimate.alternatives.length > 0);
    assert.ok(vscode.lm.tools.some(({ name }) => name === `${VENDOR}_get_budget`));
  });
});
