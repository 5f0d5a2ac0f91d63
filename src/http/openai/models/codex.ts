import type { ModelInfo } from '../../../core/model.ts';

/** Where neither the model nor its file says how much it can hold. */
const unknownContextTokens = 4_096;
/** Of the output of one tool: a share of the context, as a small model would otherwise see nothing else. */
const toolOutputShare = 1 / 8;

const instructions =
  "You are a coding agent in the user's terminal. Work on the files of the current folder with the tools that you are " +
  'given, in small steps, and look at what a tool returned before you go on. Say briefly what you have done.';

/**
 * Models as Codex reads them beside `data`; it refuses the whole list where a field is missing. What it cannot be told here
 * (whether a model thinks) is left out, as it would send what changes nothing.
 */
export function toCodexModels(models: readonly ModelInfo[]) {
  return models
    .filter(({ capabilities }) => capabilities.operations.includes('generate'))
    .map(({ id, displayName, contextTokens, capabilities }, priority) => ({
      slug: id,
      display_name: displayName,
      description: null,
      supported_reasoning_levels: [],
      shell_type: 'shell_command' as const,
      visibility: 'list' as const,
      supported_in_api: true,
      priority,
      availability_nux: null,
      upgrade: null,
      base_instructions: instructions,
      supports_reasoning_summaries: false,
      support_verbosity: false,
      default_verbosity: null,
      apply_patch_tool_type: capabilities.tools ? ('freeform' as const) : null,
      truncation_policy: {
        mode: 'tokens' as const,
        limit: Math.floor((contextTokens ?? unknownContextTokens) * toolOutputShare),
      },
      supports_parallel_tool_calls: capabilities.tools,
      context_window: contextTokens ?? unknownContextTokens,
      experimental_supported_tools: [],
      input_modalities: ['text', ...(capabilities.reads.includes('image') ? ['image'] : [])],
    }));
}
