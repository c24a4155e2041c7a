/**
 * Sentences that come ready-made from the depth (failures, the parts of a score, what the ledger kept) are English. Those of a
 * known form are said again in the editor's language; any other stays as it is, which is better than no sentence.
 */
import { english, type Facts, type Translate } from '../../core/translate.ts';

/** Their forms, as the core and the models write them. */
export const knownForms: readonly string[] = [
  // Codes of failures, as a stored route without a reason tells them.
  'bad request.',
  'bad key.',
  'quota exceeded.',
  'rate limited.',
  'provider unavailable.',
  'timeout.',
  'stream cut.',
  'refusal.',
  'context limit.',
  'model missing.',
  'model too big.',
  'model crashed.',
  'unknown model.',
  'ledger unavailable.',
  'duplicate request.',
  'cancelled.',
  'internal.',
  // What would have changed a choice.
  'no model had been forced',
  'the score had been {side} {threshold} (it is {score})',
  'the prompt could have left this machine for {model}',
  'the prompt had fitted the context of {model}',
  'the price of {model} had been known',
  'the cost limit of this request had covered {model}',
  'the budget had covered {model}',
  'there had been an API key for {model}',
  '{model} had been on this machine',
  '{model} had been fast enough',
  '{model} had been available',
  'above',
  'at or below',
  // Parts of a score and of a confidence.
  'base',
  'task',
  'length',
  'words',
  'context',
  'mean-log-prob',
  'low-log-prob',
  'empty',
  'refused',
  'repeated',
  'truncated',
  'unbalanced',
  'entropy',
  'broken',
  'calibration',
  'baseline',
  'what escalating is worth on the reference prompts',
  'misses {percent} of the reference prompts, {origin}',
  'from outcomes of {key}',
  'a prior for {billions} billion parameters',
  'as stated, else a prior for {billions} billion parameters',
  '≈ {tokens} tokens of {language} in the text',
  'the {strategy} baseline, which knows no models',
  'looks like {label} ({percent})',
  '≈ {tokens} tokens, {times} times what is usual',
  '≈ {tokens} tokens of {language} attached',
  '{relations} words that relate steps, {demands} of code, mathematics or reasoning',
  '≈ {tokens} tokens',
  '{task}: not measured',
  '{task}: as measured',
  'fitted to {answers} answers',
  'a judgement',
  '{amount} per token',
  'a tenth of the tokens below {amount}',
  'no text',
  'declines to answer',
  '{percent} % repeats itself',
  'cut by the output cap',
  'brackets left open',
  '{percent} % of its code does not parse',
  'as often as such answers were good',
  // Why another confidence was needed than usual.
  'clear after {tokens} tokens',
  'usually {needed} is needed; deferring this costs {times} times the usual',
  'usually {needed} is needed; the budget has to last',
  'usually {needed} is needed; the other model is expected to be good in {quality} of cases',
  // Refusals.
  'expected a user message with some text, got none; add what is asked',
  'expected every result of a tool to follow the call of its id, got one without; send the assistant message that called it',
  'the answer broke off after its first words; ask again',
  'expected a model that can do what the request asks for (tools, or a form of the answer), but none that may answer can; allow a cloud model, or ask without',
  'expected a model on this machine, because this prompt may not leave it, but none can answer; download a local model',
  'this workspace is not trusted, so only a local model may answer; use one, or trust it',
  'the administrator of this machine allows other models only',
  'the administrator of this machine allows other models only; use one of those, or ask your administrator',
  'the administrator of this machine lets only local models answer',
  'the administrator of this machine lets only local models answer; use one, or ask your administrator',
  'the administrator of this machine lets nothing leave it',
  'this prompt may not leave this machine; ask a local model',
  'the prompt is longer than any usable model can read; send less context',
  'the price of the model is unknown; add a row to pricing.yaml',
  'no usable model fits the cost limit of this request; raise it or let the local model answer',
  'the cloud model needs an API key; set OPENAI_API_KEY or let the local model answer',
  'the local model is not on this machine; download it',
  "the prompt may not leave this machine ({rule}), so {model} can't answer it; force no model, or take out what must stay here",
  '{why}, and the local model is not on this machine; download it',
  'the prompt may not leave this machine ({rule})',
  '{model} does not fit the cost limit of this request',
  'expected a port that programs may ask, got that of {host}, which belongs to another protocol; let the server listen on another port',
  'no model is available; see the model list for the cause',
  'expected at least one enabled model that may answer, got none; check the registry and the forced model',
  '{budget} does not cover {model}; raise it or let the local model answer',
  '{budget} does not cover even a short answer of {model}; raise it',
  '{budget} does not cover {model}',
  "this month's budget",
  "today's budget",
  "this session's budget",
  "this workspace's budget of the month",
  // Failures of a call.
  'the request was cancelled',
  'the answer of {model} was cancelled',
  'the download of {model} was cancelled',
  'the answer stopped before its end; ask again',
  'the answer of {host} broke off before its end; ask again',
  'could not reach {host}; check the network and the base URL',
  'could not reach {host} ({cause}); check the network and the base URL',
  '{host} stayed silent for longer than is allowed; try again later',
  'no API key for {host}; enter one, or set OPENAI_API_KEY',
  'the model host {why}; ask again, it will be started anew',
  'expected {needed} of memory for {model}, {free} are free; choose a smaller model or context window',
  'expected a prompt of at most {limit} tokens for {model}, got {tokens}; shorten it or choose another model',
  'far more',
  'the ledger is closed, so nothing may be spent: {why}',
  'the local models were shut down',
  'the model host ended without an answer',
  'the model host failed: {what}',
  '{model} crashed twice while it was loaded (the model host {why}); prepare it again to retry',
  'expected {model} to fit into memory, it does not; choose a smaller model or context window',
  'the file of {model} changed after its content was verified; ask again to verify it anew',
  'expected the file of {model}, but {why}',
  'the file is not there; download it',
  "the file can't be read ({code})",
  '{why}; download it again',
  'expected one source of {model} to yield its file, none did ({list}); check the network or put the file in place by hand',
  'expected a new request id, got {id}, which was used before',
  '{host} answered {status} for {model}; {advice}',
  '{host} broke its answer off{told}; {advice}',
  'check the API key',
  'check api_model and base_url in the registry, and that the key may use the model',
  'check the entry of this model in the registry',
  'shorten the prompt or its context',
  'check the plan and the billing of the account',
  'wait and try again',
  'ask in other words',
  'try again later',
  'try again',
  "this request's cost limit",
  // The ledger.
  'the ledger could not record the call, so nothing was sent; see its file and disk',
  'model {model} is frozen because a bill passed its bound; unfreeze it to use it again',
  'expected the ledger {path} to become free, but another process keeps it locked; close that program or try again',
  'expected the ledger {path} to be readable, but it is damaged; restart, and it will be set aside',
  'expected room to write the ledger {path}, but the disk is full; free some space',
  'expected to write the ledger {path}, but it is read-only; make the file and its folder writable',
  'expected to open and write the ledger {path}, got "{what}"; check its folder and disk',
  'expected to use the ledger {path}, got "{what}"; check its folder and disk',
  'expected a sound ledger in {path}, but it is damaged ({finding}); close all programs that use it, then restart',
  'expected a sound ledger in {path}, but it is damaged ({finding}); it was set aside as {target}: rebuild it ({command}), or put a backup in its place',
  'expected a sound ledger in {path}, but it is damaged ({finding}) and could not be set aside ({why})',
  'expected the ledger {path} to have schema version {known} or older, got {version}; update this program',
  "expected a ledger in {path}, got another program's database; move it away",
  'expected the ledger {path}, but it was damaged and set aside as {damaged}; rebuild it ({command}), put a backup in its place, or move {again} and {mirror} away to start from zero',
  "expected the ledger {path}, found none, and its mirror {mirror} can't be read; put the ledger back, or move the mirror away to start from zero",
  'expected the ledger {path} with {spent} of recorded spend, found it missing or empty; put it back, rebuild it ({command}), or move {mirror} away to start from zero',
  'expected {path} to contain all spend of its mirror, but {what}; put the right ledger back, rebuild it ({command}), or move {mirror} away to accept this one',
  'the mirror belongs to another ledger',
  'the mirror knows its event {seq}, and the ledger lacks it',
  'the mirror says {amount} for {month}, the ledger less',
  // Settings that have no effect.
  'expected an enabled model of the registry as {role}, got {model}; choose one of {models}',
  'expected a GGUF file as your own model, got {what}; choose a .gguf file by its full path',
  'the relative path {path}',
  '{path}, which is no file',
  '{path}, which is of another format',
  "{path}, which can't be read",
  // Testing a key.
  'The key works at {host}.',
  '{host} refused the key (status {status}); enter another one',
  '{host} gets too many requests just now; try again later',
  'expected {host} to answer, {what}; check the base URL and the network',
  'expected the list of models from {host}, got status {status}; check the base URL',
  'expected an API key, there is none; enter one first',
];

interface Form {
  readonly message: string;
  readonly pattern: RegExp;
}

const exact = new Set(knownForms);

/** Those with more fixed text first, so that the most particular form wins. */
const forms: readonly Form[] = knownForms
  .filter((message) => message.includes('{'))
  .toSorted((one, other) => fixedLength(other) - fixedLength(one))
  .map((message) => ({ message, pattern: patternOf(message) }));

/**
 * A failure as a person reads it: in the editor's language, its model by its label, and written as a sentence.
 * @param names a model's label by its id
 */
export function failureText(
  sentence: string,
  t: Translate,
  names?: (modelId: string) => string,
): string {
  const text = retold(sentence, t, names).trim();
  // A host or an id at the front keeps its spelling.
  const begun = /^\p{Ll}+[\s,;:]/u.test(text) ? text.charAt(0).toUpperCase() + text.slice(1) : text;
  return /[.!?…:]$/.test(begun) ? begun : `${begun}.`;
}

/**
 * The sentence in the editor's language. A fact may be a sentence of a known form itself, such as a failure's cause.
 * @param names a model's label by its id
 */
export function retold(
  sentence: string,
  t: Translate,
  names: (modelId: string) => string = asTheyAre,
): string {
  // Looking for its form takes longer than all else that is told of a route, and English would come out as it went in.
  if (t === english && names === asTheyAre) return sentence;
  if (exact.has(sentence)) return t(sentence);
  for (const { message, pattern } of forms) {
    const found = pattern.exec(sentence)?.groups;
    if (found === undefined) continue;
    const facts: Facts = Object.fromEntries(
      Object.entries(found).map(([name, value]) => [
        name,
        name === 'model' ? names(value) : retold(value, t, names),
      ]),
    );
    return t(message, facts);
  }
  return t(sentence);
}

function asTheyAre(modelId: string): string {
  return modelId;
}

function fixedLength(message: string): number {
  return message.replaceAll(/\{\w+\}/g, '').length;
}

function patternOf(message: string): RegExp {
  const parts = message.split(/\{(\w+)\}/);
  const source = parts.map((part, at) =>
    at % 2 === 1 ? `(?<${part}>.*?)` : part.replaceAll(/[$()*+.?[\\\]^{|}]/g, '\\$&'),
  );
  return new RegExp(`^${source.join('')}$`, 's');
}
