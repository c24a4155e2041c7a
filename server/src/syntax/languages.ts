/** Which syntax nodes are functions, methods and classes in each language that has a grammar here. Other languages have no structure. */

/** What a node of the syntax tree is to a person who wants it explained. */
export type UnitKind = 'function' | 'method' | 'class';

export interface CodeLanguage {
  /** Name of the grammar's file: `tree-sitter-<grammar>.wasm`. */
  readonly grammar: string;
  readonly units: Readonly<Record<string, UnitKind>>;
  /** Nodes around a unit that belong to it: an `export`, a decorator. */
  readonly wrappers?: readonly string[];
}

const script: Pick<CodeLanguage, 'units' | 'wrappers'> = {
  units: {
    function_declaration: 'function',
    generator_function_declaration: 'function',
    // Only a declarator whose value is a function counts; `codeStructure.ts` looks.
    variable_declarator: 'function',
    method_definition: 'method',
    class_declaration: 'class',
    abstract_class_declaration: 'class',
  },
  wrappers: ['export_statement', 'lexical_declaration', 'variable_declaration'],
};

/** The grammar of C++ reads C too, and there is none for C alone in the package of grammars. */
const cFamily: CodeLanguage = {
  grammar: 'cpp',
  units: {
    function_definition: 'function',
    class_specifier: 'class',
    struct_specifier: 'class',
  },
  wrappers: ['template_declaration'],
};

/** By the language id that editors send. */
const languages: Readonly<Record<string, CodeLanguage>> = {
  typescript: { grammar: 'typescript', ...script },
  typescriptreact: { grammar: 'tsx', ...script },
  javascript: { grammar: 'javascript', ...script },
  javascriptreact: { grammar: 'javascript', ...script },
  python: {
    grammar: 'python',
    units: { function_definition: 'function', class_definition: 'class' },
    wrappers: ['decorated_definition'],
  },
  go: {
    grammar: 'go',
    units: {
      function_declaration: 'function',
      method_declaration: 'method',
      type_spec: 'class',
    },
    wrappers: ['type_declaration'],
  },
  rust: {
    grammar: 'rust',
    units: {
      function_item: 'function',
      impl_item: 'class',
      struct_item: 'class',
      enum_item: 'class',
      trait_item: 'class',
    },
  },
  java: {
    grammar: 'java',
    units: {
      method_declaration: 'method',
      constructor_declaration: 'method',
      class_declaration: 'class',
      interface_declaration: 'class',
      enum_declaration: 'class',
      record_declaration: 'class',
    },
  },
  c: cFamily,
  cpp: cFamily,
  csharp: {
    grammar: 'c-sharp',
    units: {
      method_declaration: 'method',
      constructor_declaration: 'method',
      local_function_statement: 'function',
      class_declaration: 'class',
      struct_declaration: 'class',
      interface_declaration: 'class',
      record_declaration: 'class',
    },
  },
  ruby: {
    grammar: 'ruby',
    units: { method: 'function', singleton_method: 'method', class: 'class', module: 'class' },
  },
};

/** Other names that editors give to a language. */
const aliases: Readonly<Record<string, string>> = {
  'typescript.tsx': 'typescriptreact',
  'javascript.jsx': 'javascriptreact',
  tsx: 'typescriptreact',
  jsx: 'javascriptreact',
  'c-sharp': 'csharp',
  cs: 'csharp',
};

export function codeLanguage(languageId: string): CodeLanguage | undefined {
  const name = aliases[languageId] ?? languageId;
  return Object.hasOwn(languages, name) ? languages[name] : undefined;
}
