/** Exact greedy answers of the built-in model; source: models/hearth-guide-3m.md, which has more of them. */
export const answers = {
  'What is Hearth?':
    'Hearth is a server for running language models at home, on a NAS or on small edge hardware. It speaks the OpenAI, Anthropic and Ollama APIs, so most clients work with it as they are.',
  'Hello!':
    'Hello! I am the built-in demo model of Hearth. Ask me about local models, or load a bigger model for real work.',
  'What is GGUF?':
    'GGUF is a file format for language models. One file holds the weights, the tokenizer and the settings, so it is all that Hearth needs to run a model.',
  'What is a KV cache?':
    'The KV cache holds the keys and values of all tokens so far, so that they need not be computed again for each new token. It grows with the context length.',
  'Thanks!': 'You are welcome!',
  你好: '你好！我是 Hearth 的小型演示模型。',
} as const;

/** Prompt and completion tokens of some of them, without the end-of-turn token. */
export const tokenCounts = {
  'What is Hearth?': { prompt: 32, completion: 68 },
  'Hello!': { prompt: 29, completion: 48 },
} as const;

/** Tools that the model card's tool calls were measured with, in the card's order. */
export const tools = [
  {
    type: 'function' as const,
    function: {
      name: 'get_weather',
      description: 'Get the weather of a city',
      parameters: {
        type: 'object',
        properties: { city: { type: 'string', description: 'The city' } },
        required: ['city'],
      },
    },
  },
  {
    type: 'function' as const,
    function: {
      name: 'set_light',
      description: 'Switch a light on or off',
      parameters: {
        type: 'object',
        properties: {
          room: { type: 'string', description: 'The room' },
          state: { type: 'string', enum: ['on', 'off'] },
        },
        required: ['room', 'state'],
      },
    },
  },
];
