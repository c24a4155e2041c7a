/**
 * Renders a request with the model's own chat template into tokens, and tells by which texts its answer ends and its thoughts
 * begin and end. What a person wrote is never read as a control token, whatever it looks like.
 */
import type {
  BuiltInChatWrapperType,
  ChatHistoryItem,
  LlamaModel,
  LlamaText,
  Token,
} from 'node-llama-cpp';
import type { GenerationRequest } from '../core/ports.ts';
import type { AnswerMarkers } from './answerText.ts';
import type { HostModel } from './hostProtocol.ts';

export type Library = typeof import('node-llama-cpp');

export interface ChatPrompt {
  readonly tokens: readonly Token[];
  /** How many of the first tokens do not depend on what was asked: the system prompt and its frame. */
  readonly sharedTokens: number;
  readonly markers: AnswerMarkers;
}

export interface ChatPrompts {
  render(request: GenerationRequest): ChatPrompt;
  /** The beginning that the prompt has whatever is written at the end of its last turn. */
  renderBeginning(request: GenerationRequest): Pick<ChatPrompt, 'tokens' | 'sharedTokens'>;
  /** Control tokens that stand for a stop or a thought marker, with the text that the markers know them by. */
  readonly markerTexts: ReadonlyMap<Token, string>;
  /** What ends a thought whose budget is spent. */
  readonly closingTokens: readonly Token[];
}

export function createChatPrompts(
  library: Library,
  model: LlamaModel,
  spec: HostModel,
): ChatPrompts {
  const wrapper = resolveWrapper(library, model, spec);
  const thought = wrapper.settings.segments?.thought;
  const prefix = thought?.prefix;
  const openedByTemplate = typeof prefix === 'object' && 'type' in prefix;
  const opening = prefix === undefined || openedByTemplate ? undefined : library.LlamaText(prefix);
  const closing = thought?.suffix === undefined ? undefined : library.LlamaText(thought.suffix);
  const opensAtStart = thought?.openOnResponseStart === true && opening !== undefined;
  const markerTexts = new Map<Token, string>();

  /** The marker's text, remembered under its token where it is a single one: such tokens have no text of their own. */
  function markerText(marker: LlamaText): string {
    const text = plainText(library, marker).trim();
    const [token, ...more] = library
      .LlamaText(new library.SpecialTokensText(text))
      .tokenize(model.tokenizer);
    if (text !== '' && token !== undefined && more.length === 0) markerTexts.set(token, text);
    return text;
  }

  function tokensOf(system: string, turns: GenerationRequest['turns']) {
    const history: ChatHistoryItem[] = system === '' ? [] : [{ type: 'system', text: system }];
    // Turns of tools never come here: the policy sends them to models that can call tools.
    for (const { role, text } of turns) {
      history.push(role === 'user' ? { type: 'user', text } : { type: 'model', response: [text] });
    }
    if (turns.at(-1)?.role !== 'assistant') history.push({ type: 'model', response: [] });
    const state = wrapper.generateContextState({ chatHistory: history });
    const inject =
      state.noPrefixTrigger?.type === 'functionCall' ? [] : [state.noPrefixTrigger?.inject ?? ''];
    const text = library.LlamaText([state.contextText, ...inject, opensAtStart ? opening : '']);
    const tokens = text.tokenize(model.tokenizer);
    // Where the template's first word is the BOS token itself, the wrapper says it twice.
    const doubled = tokens[0] === model.tokens.bos && tokens[1] === tokens[0];
    return { tokens: doubled ? tokens.slice(1) : tokens, state };
  }

  const thoughtOpens = opening === undefined ? undefined : markerText(opening);
  const thoughtCloses = closing === undefined ? undefined : markerText(closing);

  /** Of the last prompt; most have the same system prompt. */
  let other:
    | { readonly system: string; readonly question: string; readonly tokens: readonly Token[] }
    | undefined;

  function render(request: GenerationRequest): ChatPrompt {
    const system = request.system === '' ? spec.systemPrompt : request.system;
    const { tokens, state } = tokensOf(system, request.turns);
    // Rendered once more with another question, to see where the two part.
    const question = request.turns[0]?.text.startsWith('?') ? '!' : '?';
    if (other?.system !== system || other.question !== question) {
      const { tokens: read } = tokensOf(system, [{ role: 'user', text: question }]);
      other = { system, question, tokens: read };
    }
    const stops = state.stopGenerationTriggers.map(markerText).filter((text) => text !== '');
    const startsInThought =
      opensAtStart || openedByTemplate || state.noPrefixTrigger?.type === 'segment';
    return {
      tokens,
      sharedTokens: commonPrefixLength(tokens, other.tokens),
      markers: { thoughtOpens, thoughtCloses, stops: [...new Set(stops)], startsInThought },
    };
  }

  return {
    markerTexts,
    closingTokens: closing?.tokenize(model.tokenizer) ?? [],
    render,
    renderBeginning(request) {
      const [one, other] = ['What', '?'].map((end) => render(endingIn(request, end)));
      if (one === undefined || other === undefined) return { tokens: [], sharedTokens: 0 };
      const tokens = one.tokens.slice(0, commonPrefixLength(one.tokens, other.tokens));
      return { tokens, sharedTokens: Math.min(one.sharedTokens, tokens.length) };
    },
  };
}

function endingIn(request: GenerationRequest, end: string): GenerationRequest {
  const last = request.turns.at(-1);
  if (last === undefined) return request;
  return { ...request, turns: [...request.turns.slice(0, -1), { ...last, text: last.text + end }] };
}

export function commonPrefixLength(a: readonly number[], b: readonly number[]): number {
  const limit = Math.min(a.length, b.length);
  let length = 0;
  while (length < limit && a[length] === b[length]) length += 1;
  return length;
}

function resolveWrapper(
  library: Library,
  model: LlamaModel,
  spec: HostModel,
): BuiltInChatWrapperType {
  const name = library.resolvableChatWrapperTypeNames.find((each) => each === spec.chatTemplate);
  const wrapper = library.resolveChatWrapper(model, {
    type: name === undefined || name === 'jinjaTemplate' || name === 'template' ? 'auto' : name,
    warningLogs: false,
  });
  // A budget of zero asks such a model to answer at once, instead of cutting the thought that it is made to begin.
  if (wrapper instanceof library.QwenChatWrapper && spec.thoughtTokens === 0) {
    return new library.QwenChatWrapper({ variation: wrapper.variation, thoughts: 'discourage' });
  }
  return wrapper;
}

/** A marker as it reads; a symbolic token such as EOS has no text and is recognised as the end of the generation anyway. */
function plainText(library: Library, marker: LlamaText): string {
  return marker.values
    .map((value) => {
      if (typeof value === 'string') return value;
      return value instanceof library.SpecialTokensText ? value.value : '';
    })
    .join('');
}
