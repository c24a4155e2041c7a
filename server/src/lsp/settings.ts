/**
 * The editor's settings, pulled from the client, as the app understands them. A value that makes no sense is left at its
 * default and said. A workspace can only tighten: what it asks for beyond the user's budget has no effect and is said too.
 */
import { z } from 'zod';
import type { ApiKey } from '../compose.ts';
import type { AppSettings } from '../core/appSettings.ts';
import { nanoUsd } from '../core/price.ts';
import { DEFAULT_MONTHLY_BUDGET_NANO_USD, dollarAmount } from '../core/schema.ts';
import { english, type Translate } from '../core/translate.ts';
import type { NanoUsd } from '../core/types.ts';
import { budgetMoney } from './wire/texts.ts';

export type LensMode = 'off' | 'selection' | 'functions';

/** What is configured, apart from the key. */
export interface EditorSettings {
  /** For `App.configure`: `undefined` stands for the default. */
  readonly app: Partial<AppSettings>;
  /** The month's limit of every workspace that is open here. */
  readonly workspaceNanoUsd: NanoUsd | undefined;
  readonly lens: LensMode;
  readonly keepHistory: boolean;
  /** Read when the app is composed; a change needs a restart of the server. */
  readonly dataDir: string | undefined;
  readonly threads: number | undefined;
  /** Sentences for the person: values that have no effect, and why. */
  readonly notices: readonly string[];
}

const dollarsOrNull = dollarAmount.nullish();
const share = z.number().min(0).max(1);
const patterns = z.array(z.string().max(1000)).max(1000).nullish();
const textOrNull = z.string().trim().nullish();

/** Each leaf of section `costAwareRouter`, by its dotted name. */
const leaves = {
  'budget.monthlyUsd': dollarsOrNull,
  'budget.dailyUsd': dollarsOrNull,
  'budget.perRequestUsd': dollarsOrNull,
  'budget.perSessionUsd': dollarsOrNull,
  'budget.warnAt': share.nullish(),
  'audit.share': share.nullish(),
  'budget.atLimit': z.enum(['local', 'ask', 'stop']).nullish(),
  'workspaceBudget.monthlyUsd': dollarsOrNull,
  'models.cheap': textOrNull,
  'models.escalation': textOrNull,
  'models.baseline': textOrNull,
  'models.ladder': z.array(z.string().trim().min(1)).max(100).nullish(),
  'models.ownFile': textOrNull,
  'openai.baseUrl': z
    .url({ protocol: /^https?$/ })
    .nullish()
    .or(z.literal('')),
  'quality.min': share.nullish(),
  'latency.maxMs': z.number().positive().nullish(),
  lens: z.enum(['off', 'selection', 'functions']).nullish(),
  'history.enabled': z.boolean().nullish(),
  'privacy.exclude': patterns,
  'workspacePrivacy.exclude': patterns,
  dataDir: textOrNull,
  threads: z.number().int().positive().nullish(),
} as const;

type Leaf = keyof typeof leaves;

/** What a workspace folder sets for itself. */
export interface FolderSections {
  readonly budget: unknown;
  readonly privacy: unknown;
}

/**
 * @param section the user's and the workspace's settings as the client merges them
 * @param folders sections `workspaceBudget` and `workspacePrivacy` of each workspace folder: the tightest budget holds, and
 *   what any of them keeps here stays here
 */
export function editorSettings(
  section: unknown,
  folders: readonly FolderSections[] = [],
  t: Translate = english,
): EditorSettings {
  const notices: string[] = [];
  const read = <L extends Leaf>(leaf: L): z.output<(typeof leaves)[L]> | undefined => {
    const given = valueAt(section, leaf);
    const parsed = leaves[leaf].safeParse(given);
    // An unset leaf is `null` with some clients and missing with others.
    if (parsed.success) return parsed.data as z.output<(typeof leaves)[L]>;
    notices.push(badValue(leaf, given, parsed.error, t));
    return undefined;
  };

  const asked = read('budget.monthlyUsd');
  // `null` takes the limit away; an unset or senseless value must not.
  const monthly = asked === undefined ? DEFAULT_MONTHLY_BUDGET_NANO_USD : (asked ?? undefined);
  const workspaceNanoUsd = tightestWorkspace(
    [read('workspaceBudget.monthlyUsd'), ...folders.map(({ budget }) => folderLimit(budget))],
    monthly,
    (notice) => notices.push(notice),
    t,
  );
  const app: Partial<AppSettings> = {
    monthlyBudgetNanoUsd: monthly,
    dailyBudgetNanoUsd: read('budget.dailyUsd') ?? undefined,
    perRequestNanoUsd: read('budget.perRequestUsd') ?? undefined,
    sessionBudgetNanoUsd: read('budget.perSessionUsd') ?? undefined,
    pacingFrom: read('budget.warnAt') ?? undefined,
    atLimit: read('budget.atLimit') ?? undefined,
    auditShare: read('audit.share') ?? undefined,
    cheap: read('models.cheap') || undefined,
    escalation: read('models.escalation') || undefined,
    baseline: read('models.baseline') || undefined,
    ladder: ladderOf(read('models.ladder') ?? []),
    ownModelPath: read('models.ownFile') || undefined,
    baseUrl: read('openai.baseUrl') || undefined,
    minQuality: read('quality.min') ?? undefined,
    maxLatencyMs: read('latency.maxMs') ?? undefined,
    excludedFiles: [
      ...(read('privacy.exclude') ?? []),
      ...(read('workspacePrivacy.exclude') ?? []),
      ...folders.flatMap(({ privacy }) => folderPatterns(privacy)),
    ],
  };
  return {
    app,
    workspaceNanoUsd,
    lens: read('lens') ?? 'selection',
    keepHistory: read('history.enabled') ?? false,
    dataDir: read('dataDir') || undefined,
    threads: read('threads') ?? undefined,
    notices,
  };
}

/** A list is what VS Code can show as a form; `auto` stands alone in it. */
function ladderOf(ids: readonly string[]): AppSettings['ladder'] {
  if (ids.length === 0) return undefined;
  return ids.includes('auto') ? 'auto' : [...ids];
}

/** The settings with the budgets of the workspaces that are known by now. */
export function withWorkspaces(
  settings: EditorSettings,
  workspaceIds: Iterable<string>,
): Partial<AppSettings> {
  const limit = settings.workspaceNanoUsd;
  return {
    ...settings.app,
    workspaceBudgetsNanoUsd:
      limit === undefined ? {} : Object.fromEntries([...workspaceIds].map((id) => [id, limit])),
  };
}

/** An empty key is none. */
export function keyFor(key: string | null, baseUrl: string): ApiKey | undefined {
  const trimmed = key?.trim() ?? '';
  return trimmed === '' ? undefined : { key: trimmed, baseUrl };
}

function tightestWorkspace(
  asked: readonly (NanoUsd | null | undefined)[],
  monthly: NanoUsd | undefined,
  say: (notice: string) => void,
  t: Translate,
): NanoUsd | undefined {
  const limits = asked.filter((limit) => limit !== null && limit !== undefined);
  if (limits.length === 0) return undefined;
  const tightest = nanoUsd(Math.min(...limits));
  if (monthly === undefined || tightest <= monthly) return tightest;
  say(
    t(
      'This workspace asks for a budget of {asked} a month, above your {yours}; a workspace can only tighten, so {yours} holds.',
      { asked: budgetMoney(tightest).text, yours: budgetMoney(monthly).text },
    ),
  );
  return undefined;
}

function folderLimit(section: unknown): NanoUsd | null | undefined {
  const parsed = leaves['workspaceBudget.monthlyUsd'].safeParse(valueAt(section, 'monthlyUsd'));
  return parsed.success ? parsed.data : undefined;
}

function folderPatterns(section: unknown): readonly string[] {
  const parsed = patterns.safeParse(valueAt(section, 'exclude'));
  return (parsed.success && parsed.data) || [];
}

function badValue(leaf: Leaf, given: unknown, error: z.ZodError, t: Translate): string {
  const [issue] = error.issues;
  return t('Setting costAwareRouter.{leaf}: {problem} (got {given}); its default holds.', {
    leaf,
    problem: issue?.message ?? t('not understood'),
    given: JSON.stringify(given),
  });
}

/** Clients send a section nested (`{budget: {monthlyUsd}}`) or flat (`{'budget.monthlyUsd'}`). */
function valueAt(section: unknown, dotted: string): unknown {
  if (typeof section !== 'object' || section === null) return undefined;
  const own = (at: object, name: string): unknown =>
    Object.hasOwn(at, name) ? (at as Record<string, unknown>)[name] : undefined;
  const flat = own(section, dotted);
  if (flat !== undefined) return flat;
  return dotted
    .split('.')
    .reduce<unknown>(
      (at, name) => (typeof at === 'object' && at !== null ? own(at, name) : undefined),
      section,
    );
}
