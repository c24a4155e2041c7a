/** Messages between a scorer of GGUF files and the process that holds the model. */
export type ToGgufHost =
  | {
      readonly type: 'load';
      readonly path: string;
      readonly threads: number;
      readonly window: number | undefined;
    }
  | { readonly type: 'encode'; readonly text: string }
  | {
      readonly type: 'score';
      readonly ids: Int32Array;
      readonly targets: Int32Array;
      readonly from: number;
    };

export type FromGgufHost =
  | {
      readonly type: 'loaded';
      readonly contextLength: number;
      readonly vocabularySize: number;
      /** `undefined` where the model wants none before a text. */
      readonly begin: number | undefined;
    }
  | { readonly type: 'encoded'; readonly ids: readonly number[] }
  | { readonly type: 'scored'; readonly losses: Float32Array }
  | { readonly type: 'failed'; readonly message: string };
