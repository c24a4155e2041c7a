/** What any LSP editor shows at the code: a lens to explain, actions on a range, and the kept explanation on hover. */
import {
  type CodeAction,
  CodeActionTriggerKind,
  type CodeLens,
  type Hover,
  type Position,
  type Range,
} from 'vscode-languageserver/node';
import type { TextDocument } from 'vscode-languageserver-textdocument';
import type { Translate } from '../../core/translate.ts';
import { inertMarkdown } from '../../inertMarkdown.ts';
import { COMMANDS, type ExplainTask, type ExplanationWire, type KeptTask } from '../../protocol.ts';
import type { LensMode } from '../settings.ts';
import { type CodeUnit, unitAround } from './codeStructure.ts';
import { rangeIn, taskTitle } from './codeTasks.ts';
import { isEmpty, rangeOf, spanOf } from './ranges.ts';

const commandOf: Readonly<Record<ExplainTask, string>> = {
  explain: COMMANDS.explain,
  find_problems: COMMANDS.findProblems,
  write_test: COMMANDS.writeTest,
  document: COMMANDS.document,
};

const tasks = Object.keys(commandOf) as ExplainTask[];

export function taskOfCommand(command: string): ExplainTask | undefined {
  return tasks.find((task) => commandOf[task] === command);
}

/** A lens on the selection is the client's own: the server does not know what is selected. */
export function lensesOf(
  mode: LensMode,
  document: TextDocument,
  units: readonly CodeUnit[],
  t: Translate,
): CodeLens[] {
  if (mode !== 'functions') return [];
  return units.map(({ span }) => {
    const { start } = rangeOf(span);
    return {
      range: { start, end: start },
      command: {
        title: taskTitle('explain', t),
        command: commandOf.explain,
        arguments: [rangeIn(document.uri, span)],
      },
    };
  });
}

/** Groups the actions under a name of their own, since none of them is a fix or a refactoring. */
const ACTION_KIND = 'costAwareRouter';

export const actionKinds = tasks.map((task) => `${ACTION_KIND}.${task}`);

export interface ActionRequest {
  readonly range: Range;
  readonly only: readonly string[] | undefined;
  readonly trigger: CodeActionTriggerKind | undefined;
}

export function actionsOn(
  document: TextDocument,
  request: ActionRequest,
  units: readonly CodeUnit[],
  t: Translate,
): CodeAction[] {
  const asked = spanOf(request.range);
  // An editor that looks by itself at every cursor movement would otherwise light its bulb on every line.
  const automatic = request.trigger === CodeActionTriggerKind.Automatic;
  if (isEmpty(asked) && automatic) return [];
  const span = isEmpty(asked) ? (unitAround(units, asked)?.span ?? asked) : asked;
  return tasks
    .map((task) => {
      const title = `${taskTitle(task, t)} (Cost-Aware Router)`;
      return {
        title,
        kind: `${ACTION_KIND}.${task}`,
        command: { title, command: commandOf[task], arguments: [rangeIn(document.uri, span)] },
      };
    })
    .filter(({ kind }) => isWanted(kind, request.only));
}

function isWanted(kind: string, only: readonly string[] | undefined): boolean {
  return only?.every((wanted) => kind !== wanted && !kind.startsWith(`${wanted}.`)) !== true;
}

export function placeOf({ line, character }: Position) {
  return spanOf({ start: { line, character }, end: { line, character } });
}

/** All that is kept about one piece of code. A lone explanation needs no heading. */
export function hoverOf(
  kept: readonly [ExplanationWire, ...ExplanationWire[]],
  markdown: boolean,
  t: Translate,
): Hover {
  const isLone = kept.length === 1 && kept[0].task === 'explain';
  const texts = kept.map(({ task, text, line, stale }) => {
    const foot = stale ? `${line} · ${t('stale: the code has changed since')}` : line;
    const title = isLone ? '' : keptTitle(task, t);
    const parts = markdown
      ? [title && `**${title}**`, inertMarkdown(text), '---', inertMarkdown(foot)]
      : [title, text, foot];
    return parts.filter((part) => part !== '').join('\n\n');
  });
  return {
    range: rangeOf(kept[0].range),
    contents: { kind: markdown ? 'markdown' : 'plaintext', value: texts.join('\n\n') },
  };
}

function keptTitle(task: KeptTask, t: Translate): string {
  return task === 'question' ? t('Answer to a question') : taskTitle(task, t);
}
