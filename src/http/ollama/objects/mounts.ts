/** One place where the dialect stands, and how it differs there. */
export interface OllamaMount {
  prefix: '/api' | '/ollama/api';
  /** `POST /generate` is the first seed specification's too: it streams when asked for, and answers in both shapes. */
  isShared: boolean;
}

export const apiRoot: OllamaMount = { prefix: '/api', isShared: true };
export const ollamaRoot: OllamaMount = { prefix: '/ollama/api', isShared: false };
