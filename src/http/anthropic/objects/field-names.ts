import { type FieldNames, sharedNames } from '../../fields/field-names.ts';

/** What this dialect calls the fields of the core. */
export const names: FieldNames = {
  ...sharedNames,
  stop: 'stop_sequences',
  format: 'output_config.format',
  'reasoning.budgetTokens': 'thinking.budget_tokens',
  'reasoning.effort': 'output_config.effort',
  'input.messages': 'messages',
  'input.tools': 'tools',
  'input.toolChoice': 'tool_choice',
  'input.*': 'messages',
};
