/**
 * The audit: an opt-in share of local answers is asked of the baseline, too, so that the quality kept is measured. It runs
 * after the answer, in the background: a person never waits for it, and its failure is nobody's. Its calls are held and
 * settled in the ledger like any other, and of what was said only the verdict is kept.
 */
import type { AnswerResult, Attempt, Route } from './answer.ts';
import {
  type AuditMethod,
  type AuditVerdict,
  checkedVerdict,
  JUDGE_OUTPUT_TOKENS,
  judgedVerdict,
  judgeRequest,
} from './auditVerdict.ts';
import { remaining } from './budget.ts';
import { needsOf } from './callerWishes.ts';
import { type Background, callCloud } from './cloudCall.ts';
import { type Decided, modelById } from './decide.ts';
import type { CallOutcome } from './modelCall.ts';
import { pressureOf } from './pacing.ts';
import type { GenerationRequest, RouterPorts } from './ports.ts';
import { addUsd, costBound, nanoUsd, ZERO_USD } from './price.ts';
import { totalCost } from './record.ts';
import { generationRequest, scopeOf } from './request.ts';
import { type AnswerDeps, baselineOf, type Run } from './run.ts';
import type { Model, NanoUsd, PriceRow } from './types.ts';

/** One audited answer, as the ledger keeps it: no text of anybody. */
export interface AuditRecord {
  readonly promptId: string;
  readonly atMs: number;
  /** Who gave the answer, and the identity of its file. */
  readonly modelId: string;
  readonly identity: string;
  readonly baselineId: string;
  readonly verdict: AuditVerdict;
  readonly method: AuditMethod;
  readonly costNanoUsd: NanoUsd;
}

/** More at once would crowd the answers that people wait for; what comes on top is not audited. */
const MOST_AT_ONCE = 2;

/** @returns told of every answer; begins an audit of some, and never waits */
export function createAudit(ports: RouterPorts, background: Background): AnswerDeps['audit'] {
  let underWay = 0;
  return (run, result) => {
    const { decided } = run;
    if (underWay >= MOST_AT_ONCE || result.served !== 'local') return;
    if (!mayBeAudited(decided, result.route)) return;
    if (ports.random() >= decided.settings.auditShare) return;
    underWay += 1;
    background.run(
      audit(run, result, ports, background)
        // The ledger that can't keep it closes the cloud tier itself and says so.
        .catch(() => {})
        .finally(() => {
          underWay -= 1;
        }),
    );
  };
}

/** Only what the router itself lets a local model answer, and what may leave this machine at all. */
function mayBeAudited({ settings, prompt }: Decided, route: Route): boolean {
  const { privacy = 'any' } = prompt.constraints;
  return (
    settings.auditShare > 0 &&
    !settings.localOnly &&
    privacy === 'any' &&
    route.reason.code !== 'forced' &&
    needsOf(prompt).length === 0
  );
}

/** The baseline, where it could be asked what a local model is to answer; what is found in the prompt keeps it here. */
export async function auditorOf(
  decided: Decided,
  route: Route,
  ports: RouterPorts,
): Promise<Model | undefined> {
  const baseline = baselineOf(decided);
  if (baseline === undefined || !baseline.enabled || baseline.provider === 'local')
    return undefined;
  if (!mayBeAudited(decided, route)) return undefined;
  if (modelById(decided.registry, route.modelId).provider !== 'local') return undefined;
  if (ports.cloud.availability(baseline).kind !== 'ready') return undefined;
  if (ports.catalogue.price(baseline.id, ports.clock.now()) === undefined) return undefined;
  return (await decided.findings()).length === 0 ? baseline : undefined;
}

/** What the baseline is asked: the prompt as any cloud model is sent it. */
export function auditRequest({ prompt, settings }: Decided, baseline: Model): GenerationRequest {
  const cap = Math.min(settings.maxOutputTokens, baseline.maxOutputTokens);
  return generationRequest(prompt, baseline, cap);
}

interface Audit {
  readonly run: Run;
  readonly result: AnswerResult;
  readonly ports: RouterPorts;
  readonly background: Background;
  readonly baseline: Model;
  readonly price: PriceRow;
  readonly asked: GenerationRequest;
}

async function audit(
  run: Run,
  result: AnswerResult,
  ports: RouterPorts,
  background: Background,
): Promise<void> {
  const { decided } = run;
  const baseline = await auditorOf(decided, result.route, ports);
  const price = baseline && ports.catalogue.price(baseline.id, ports.clock.now());
  if (baseline === undefined || price === undefined) return;
  const asked = auditRequest(decided, baseline);
  const made: Audit = { run, result, ports, background, baseline, price, asked };
  if (!(await isCovered(made))) return;

  const answer = await call(made, asked, totalCost(run.attempts));
  const { verdict, method, attempts } = await compare(made, answer);
  const costNanoUsd = totalCost([...answer.attempts, ...attempts]);
  // A call that was refused, or that reached nobody, has asked nothing.
  if (verdict === 'unjudged' && costNanoUsd === ZERO_USD) return;
  await ports.ledger.recordAudit({
    promptId: decided.prompt.id,
    atMs: ports.clock.now(),
    modelId: result.modelId,
    identity: ports.local.identity(modelById(decided.registry, result.modelId)),
    baselineId: baseline.id,
    verdict,
    method,
    costNanoUsd,
  });
}

/**
 * An audit is not begun unless the money for all of it is there, and never while a budget holds back: then every call is
 * for an answer. This looks before it leaps; the hard limit is each reservation's own.
 */
async function isCovered(made: Audit): Promise<boolean> {
  const { run, result, ports, baseline, price, asked } = made;
  const { decided } = run;
  const scope = scopeOf(decided.prompt);
  const budget = await ports.ledger.budget(decided.limitsNow(), scope);
  if (pressureOf(budget, ports.clock.now(), decided.settings.pacingFrom) > 0) return false;
  if ((await ports.ledger.frozenModels()).has(baseline.id)) return false;

  const cap = asked.maxOutputTokens;
  const answerInput = await ports.tokens.inputBound(baseline, asked);
  const judge = judgeRequest({ asked, local: result.text, baseline: '', localFirst: true });
  const judgeInput = (await ports.tokens.inputBound(baseline, judge)) + cap;
  if (judgeInput + JUDGE_OUTPUT_TOKENS > baseline.contextWindow) return false;
  if (answerInput + cap > baseline.contextWindow) return false;
  const bound = addUsd(
    costBound(price, answerInput, cap),
    costBound(price, judgeInput, JUDGE_OUTPUT_TOKENS),
  );
  const { maxCostNanoUsd } = decided.prompt.constraints;
  const ofRequest =
    maxCostNanoUsd === undefined ? bound : Math.max(0, maxCostNanoUsd - totalCost(run.attempts));
  return bound <= ofRequest && bound <= (remaining(budget) ?? bound);
}

interface Comparison {
  readonly verdict: AuditVerdict;
  readonly method: AuditMethod;
  /** Further calls that it took. */
  readonly attempts: readonly Attempt[];
}

async function compare(made: Audit, answer: CallOutcome): Promise<Comparison> {
  const { ports, result, asked, run } = made;
  // An answer that was cut or declined is no measure of another one.
  if (answer.kind !== 'answered' || answer.finish !== 'stop') return unjudged([]);
  const checked = checkedVerdict(result.text, answer.text);
  if (checked !== undefined) return { verdict: checked, method: 'checked', attempts: [] };

  const localFirst = ports.random() < 0.5;
  const judge = judgeRequest({ asked, local: result.text, baseline: answer.text, localFirst });
  // The local answer leaves only now, so it is looked at only now. A scan that throws ends the audit as a finding does.
  const findings = await ports.privacy.scan(judge, run.decided.prompt.context).catch(() => null);
  if (findings === null || findings.length > 0) return unjudged([]);
  const spent = addUsd(totalCost(run.attempts), totalCost(answer.attempts));
  const reply = await call(made, judge, spent);
  if (reply.kind !== 'answered') return unjudged(reply.attempts);
  const verdict = judgedVerdict(reply.text, localFirst);
  return verdict === 'unjudged'
    ? unjudged(reply.attempts)
    : { verdict, method: 'judged', attempts: reply.attempts };
}

function unjudged(attempts: readonly Attempt[]): Comparison {
  return { verdict: 'unjudged', method: 'none', attempts };
}

/** @param spentNanoUsd what this prompt has cost by now; its own limit holds for the audit, too */
async function call(
  { run, ports, background, baseline, price }: Audit,
  request: GenerationRequest,
  spentNanoUsd: NanoUsd,
): Promise<CallOutcome> {
  const { prompt, settings, limitsNow } = run.decided;
  const { maxCostNanoUsd } = prompt.constraints;
  const cloudCall = {
    promptId: prompt.id,
    purpose: 'audit' as const,
    model: baseline,
    request,
    price,
    limitsNow,
    scope: scopeOf(prompt),
    maxCostNanoUsd:
      maxCostNanoUsd === undefined
        ? undefined
        : nanoUsd(Math.max(ZERO_USD, maxCostNanoUsd - spentNanoUsd)),
  };
  // Nobody waits, so nothing is tried twice; and no reader leaves, so nothing is cut.
  const once = { ...settings, maxRetries: 0 };
  const events = callCloud(cloudCall, ports, once, background, new AbortController().signal);
  for (;;) {
    const next = await events.next();
    if (next.done === true) return next.value;
  }
}
