/** What a person can mend: a file, a configuration, a full disk. The message says what was expected, what came, what to do. */
export class TrainingError extends Error {
  override readonly name = 'TrainingError';
}
