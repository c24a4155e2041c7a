/**
 * What a program that asks for an answer may want beside the text: tools it can run, a shape of the answer, how to sample.
 * The router runs no tool: it hands a model's calls to the caller, who decides.
 */

import type { Model } from './types.ts';

/** A function that the caller can run. */
export interface Tool {
  readonly name: string;
  readonly description?: string;
  /** A JSON schema, as the caller wrote it. */
  readonly parameters?: Readonly<Record<string, unknown>>;
  readonly strict?: boolean;
}

export type ToolChoice = 'auto' | 'none' | 'required' | { readonly name: string };

export interface ToolUse {
  readonly tools: readonly Tool[];
  /** @default 'auto' */
  readonly choice?: ToolChoice;
  /** Whether several calls may come at once; the model's own habit when absent. */
  readonly parallel?: boolean;
}

export interface ToolCall {
  readonly id: string;
  readonly name: string;
  /** The arguments as the model wrote them: JSON, or what it took for JSON. */
  readonly argumentsJson: string;
}

export type AnswerFormat =
  | { readonly kind: 'json' }
  | {
      readonly kind: 'json-schema';
      readonly name: string;
      readonly schema: Readonly<Record<string, unknown>>;
      readonly description?: string;
      readonly strict?: boolean;
    };

/** Passed on to cloud models as it is. A local model always takes its likeliest token, which its confidence is read from. */
export interface Sampling {
  readonly temperature?: number;
  readonly topP?: number;
  /** For servers of Chat Completions; the Responses API has none. */
  readonly seed?: number;
}

interface Said {
  readonly role: string;
  readonly toolCalls?: readonly ToolCall[];
}

/** What a model must be able to do to answer a prompt at all. */
export type Need = 'tools' | 'answer-format';

export function needsOf(wishes: {
  readonly tools?: ToolUse | undefined;
  readonly history?: readonly Said[] | undefined;
  readonly toolTurns?: readonly Said[] | undefined;
  readonly answerFormat?: AnswerFormat | undefined;
}): readonly Need[] {
  const { tools, history = [], toolTurns = [], answerFormat } = wishes;
  const calls = tools !== undefined && tools.tools.length > 0 && tools.choice !== 'none';
  const needs: Need[] = [];
  if (calls || history.some(isOfTools) || toolTurns.some(isOfTools)) needs.push('tools');
  if (answerFormat !== undefined) needs.push('answer-format');
  return needs;
}

function isOfTools({ role, toolCalls = [] }: Said): boolean {
  return role === 'tool' || toolCalls.length > 0;
}

/** A server that may not know answer formats says so itself, at no cost. */
export function isAble(model: Model, need: Need): boolean {
  if (model.provider === 'local') return false;
  return need === 'tools' ? model.tools : true;
}
